package dcvclitest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strconv"
	"strings"
)

// settings are those of dcv.conf, "section/key" to GVariant text (Administrator
// Guide, "Configuration Parameter Reference"). A value that is not of its
// parameter's type counts as absent; that is assumed.
type settings map[string]string

// settings reads the configuration file, if there is one, and what set-config
// said over it.
func (s *State) settings() (settings, error) {
	all := settings{}
	if s.ConfFile != "" {
		text, err := os.ReadFile(s.ConfFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read the settings: %w", err)
		}
		if all, err = parseConf(string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", s.ConfFile, err)
		}
	}
	maps.Copy(all, s.Config)
	return all, nil
}

// parseConf reads the text of a dcv.conf: groups, key=value, and comments after
// "#" at the beginning of a line. Of a key that is there twice the last counts.
func parseConf(text string) (settings, error) {
	const limit = 1 << 20 // bytes
	if len(text) > limit {
		return nil, errors.New("it is too long")
	}
	found := settings{}
	section, number := "", 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			name, ok := strings.CutSuffix(line[1:], "]")
			if !ok || name == "" {
				return nil, fmt.Errorf("line %d is no [section]", number)
			}
			section = name
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if key = strings.TrimSpace(key); !ok || key == "" || section == "" {
			return nil, fmt.Errorf("line %d is no key=value of a section", number)
		}
		found[section+"/"+key] = strings.TrimSpace(value)
	}
	return found, nil
}

func (s settings) text(key, otherwise string) string {
	if value, rest, ok := scanString(s[key]); ok && rest == "" {
		return value
	}
	return otherwise
}

func (s settings) number(key string, otherwise int) int {
	if n, err := strconv.Atoi(s[key]); err == nil {
		return n
	}
	return otherwise
}

func (s settings) flag(key string, otherwise bool) bool {
	switch s[key] {
	case "true":
		return true
	case "false":
		return false
	}
	return otherwise
}

// list returns the strings of an array such as ['a', "b"], and nil for anything
// else.
func (s settings) list(key string) []string {
	rest, ok := strings.CutPrefix(s[key], "[")
	if !ok {
		return nil
	}
	var list []string
	for {
		item, more, ok := scanString(strings.TrimSpace(rest))
		if !ok {
			return nil
		}
		list = append(list, item)
		more = strings.TrimSpace(more)
		if more == "]" {
			return list
		}
		if rest, ok = strings.CutPrefix(more, ","); !ok {
			return nil
		}
	}
}

// scanString reads the GVariant string at the beginning of text (GLib reference,
// "GVariant Text Format"): in either kind of quotes, with backslash escapes.
func scanString(text string) (value, rest string, ok bool) {
	if text == "" || text[0] != '\'' && text[0] != '"' {
		return "", "", false
	}
	quote, rest := text[0], text[1:]
	var out strings.Builder
	for rest != "" {
		if rest[0] == quote {
			return out.String(), rest[1:], true
		}
		if len(rest) > 1 && rest[0] == '\\' && !strings.ContainsRune("abfnrtvuU", rune(rest[1])) {
			out.WriteByte(rest[1]) // any other character stands for itself
			rest = rest[2:]
			continue
		}
		letter, _, tail, err := strconv.UnquoteChar(rest, 0)
		if err != nil {
			return "", "", false
		}
		out.WriteRune(letter)
		rest = tail
	}
	return "", "", false
}
