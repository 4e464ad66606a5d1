// Package inifile reads the configuration files of the three programs.
//
// A program declares its keys on a [Set], in the manner of package flag, and
// calls [Set.Load]: the file, then the environment, is written to the declared
// variables. Whatever is wrong is reported at once, in line order, one sentence
// a problem, with the place, the nearest known key and the remedy.
//
// The grammar is the INI that files of the 0.1 generation are written in, read
// without the surprises: "#", ";", quotes and a trailing "\" inside a value are
// part of it, one pair of double quotes around a value is not. For numbers,
// booleans, durations, sizes and choices, what follows " #" or " ;" is a
// comment. The reader is our own because gopkg.in/ini.v1 gives no line numbers,
// hides repeated keys and takes a value that starts with a backquote for the
// start of several lines, and no option changes that; the tests hold our reader
// against it on everything else.
//
// It decides nothing about the meaning of keys and imports nothing of this
// module.
package inifile

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix/internal/nearest"
)

// A Set is all that one program can be told. It is not safe for concurrent use.
type Set struct {
	name     string
	sections []*Section
	notes    []Note
	file     string // of the last Load; empty when there was none
}

// New returns an empty set for the program with the given name, such as
// "dcvix-director"; its configuration file is called {name}.conf in messages.
func New(name string) *Set { return &Set{name: name} }

// Section returns the section with the given name and declares it at first use.
func (s *Set) Section(name string) *Section {
	for _, sec := range s.sections {
		if sec.name == name {
			return sec
		}
	}
	sec := &Section{set: s, name: name}
	s.sections = append(s.sections, sec)
	return sec
}

func (s *Set) section(name string) *Section {
	i := slices.IndexFunc(s.sections, func(sec *Section) bool { return sec.name == name })
	if i < 0 {
		return nil
	}
	return s.sections[i]
}

// A Section declares the keys under one [name].
//
// Every declaring method writes the default to its variable at once. It panics
// when the key is declared already, as that is a mistake of the program.
type Section struct {
	set  *Set
	name string
	keys []*Key
}

// A Key is one declared key. Its methods narrow what it accepts and return it.
type Key struct {
	section *Section
	name    string
	usage   string
	def     string // the default as it is written in a file

	kind     kind
	assign   func(raw string) error
	reset    func()
	check    func(value string) error
	required string // what to add when it is missing; empty when it may be
	choices  string // shown in the default file

	origin origin // where the value came from
}

// A kind is what reading a key needs to know beyond its assign function.
type kind int

const (
	kindText     kind = iota // everything after the "=" is the value
	kindTyped                // " #" and " ;" start a comment, an empty value means the default
	kindSecret               // text that is never repeated, also readable from {key}_file
	kindReserved             // accepted and ignored
)

// String declares a text. An empty value in the file is the empty text.
func (s *Section) String(p *string, key, def, usage string) *Key {
	return s.add(&Key{
		name: key, usage: usage, def: def,
		reset:  func() { *p = def },
		assign: func(raw string) error { *p = raw; return nil },
	})
}

// Secret declares a text that no message repeats. It can also be given as
// {key}_file: the content of that file without one newline at its end. A
// {key}_file that the program declares itself keeps its own meaning.
func (s *Section) Secret(p *string, key, def, usage string) *Key {
	k := s.String(p, key, def, usage)
	k.kind = kindSecret
	return k
}

// Program declares a program to run: a plain name is left to be looked up in
// PATH, anything else is a [Section.Path].
func (s *Section) Program(p *string, key, def, usage string) *Key {
	resolve := func(raw string) string {
		if raw == filepath.Base(raw) {
			return raw
		}
		return s.set.resolve(raw)
	}
	return s.add(&Key{
		name: key, usage: usage, def: def,
		reset:  func() { *p = resolve(def) },
		assign: func(raw string) error { *p = resolve(raw); return nil },
	})
}

// Path declares a file or folder. Relative ones count from the folder of the
// configuration file, or from the working directory when there is no file; the
// variable gets an absolute path, or the empty text.
func (s *Section) Path(p *string, key, def, usage string) *Key {
	return s.add(&Key{
		name: key, usage: usage, def: def,
		reset:  func() { *p = s.set.resolve(def) },
		assign: func(raw string) error { *p = s.set.resolve(raw); return nil },
	})
}

// List declares a list of texts, separated by commas in the file; spaces around
// them and empty ones are dropped. def is written the same way.
func (s *Section) List(p *[]string, key, def, usage string) *Key {
	return s.add(&Key{
		name: key, usage: usage, def: def,
		reset:  func() { *p = splitList(def) },
		assign: func(raw string) error { *p = splitList(raw); return nil },
	})
}

// Int declares a whole number; see [Key.Range].
func (s *Section) Int(p *int, key string, def int, usage string) *Key {
	return s.typed(&Key{
		name: key, usage: usage, def: strconv.Itoa(def),
		reset: func() { *p = def },
		assign: func(raw string) error {
			n, err := strconv.Atoi(raw)
			if err != nil {
				return valueError("%.40q is not a whole number", raw)
			}
			*p = n
			return nil
		},
	})
}

// Bool declares a switch: true, yes, on, y, t, 1 and their opposites, in any case.
func (s *Section) Bool(p *bool, key string, def bool, usage string) *Key {
	return s.typed(&Key{
		name: key, usage: usage, def: strconv.FormatBool(def),
		reset: func() { *p = def },
		assign: func(raw string) error {
			switch strings.ToLower(raw) {
			case "true", "yes", "on", "y", "t", "1":
				*p = true
			case "false", "no", "off", "n", "f", "0":
				*p = false
			default:
				return valueError("%.40q is neither true nor false: write one of the two", raw)
			}
			return nil
		},
	})
}

// Duration declares a span of time that is not negative, in the form of Go
// ("90s", "12h"); a bare number means seconds. See [Key.Between].
func (s *Section) Duration(p *time.Duration, key string, def time.Duration, usage string) *Key {
	return s.typed(&Key{
		name: key, usage: usage, def: formatDuration(def),
		reset: func() { *p = def },
		assign: func(raw string) error {
			d, err := parseDuration(raw)
			if err != nil {
				return err
			}
			*p = d
			return nil
		},
	})
}

// Size declares a number of bytes: a whole number, alone or with one of the
// units B, KiB, MiB and GiB.
func (s *Section) Size(p *int64, key string, def int64, usage string) *Key {
	return s.typed(&Key{
		name: key, usage: usage, def: formatSize(def),
		reset: func() { *p = def },
		assign: func(raw string) error {
			n, err := parseSize(raw)
			if err != nil {
				return err
			}
			*p = n
			return nil
		},
	})
}

// Enum declares one of the given choices. The file may write it in any case; the
// variable gets it as it is declared here.
func (s *Section) Enum(p *string, key, def, usage string, choices ...string) *Key {
	return s.typed(&Key{
		name: key, usage: usage, def: def, choices: strings.Join(choices, ", "),
		reset: func() { *p = def },
		assign: func(raw string) error {
			for _, c := range choices {
				if strings.EqualFold(c, raw) {
					*p = c
					return nil
				}
			}
			hint := ""
			if near := nearest.Word(raw, choices); near != "" {
				hint = fmt.Sprintf(" (did you mean %s?)", near)
			}
			return valueError("%.40q is not one of its choices%s: write %s", raw, hint, orList(choices))
		},
	})
}

// Reserved declares a key that this build accepts and has no use for. When a
// file sets it, a note says so.
func (s *Section) Reserved(key, usage string) *Key {
	return s.add(&Key{
		name: key, usage: usage, kind: kindReserved,
		reset: func() {}, assign: func(string) error { return nil },
	})
}

// Required marks a key that must be given and not be empty. The example is shown
// as the remedy: "add broker = https://director.example:8445".
func (k *Key) Required(example string) *Key {
	k.required = k.name + " = " + example
	return k
}

// Range makes a whole number valid from lo to hi only, both included.
func (k *Key) Range(lo, hi int) *Key {
	k.choices = fmt.Sprintf("%d to %d", lo, hi)
	return k.Check(func(value string) error {
		if n, err := strconv.Atoi(value); err == nil && (n < lo || n > hi) {
			return valueError("%d is out of range: write a number from %d to %d", n, lo, hi)
		}
		return nil
	})
}

// Between makes a duration valid from lo to hi only, both included.
func (k *Key) Between(lo, hi time.Duration) *Key {
	k.choices = fmt.Sprintf("%s to %s", formatDuration(lo), formatDuration(hi))
	return k.Check(func(value string) error {
		if d, err := parseDuration(value); err == nil && (d < lo || d > hi) {
			return valueError("%s is out of range: write a duration from %s to %s", formatDuration(d), formatDuration(lo), formatDuration(hi))
		}
		return nil
	})
}

// Check adds a check of the value as written. It sees given values only, never
// the default. Its error completes the sentence "{place}: {key}: …" and should
// name the remedy; for a secret it must not repeat the value.
func (k *Key) Check(check func(value string) error) *Key {
	before := k.check
	k.check = func(value string) error {
		if before != nil {
			if err := before(value); err != nil {
				return err
			}
		}
		return check(value)
	}
	return k
}

// IsSet reports whether the last Load found the key in the file or the
// environment.
func (k *Key) IsSet() bool { return k.origin != origin{} }

// Where names the place that the value came from, for messages about values
// that turn out to be wrong later: "/etc/x.conf:12: director_host",
// "DCVIX_DIRECTOR_DIRECTOR_HOST", or for a default "x.conf: [director] director_host".
func (k *Key) Where() string {
	switch {
	case k.origin.env != "":
		return k.origin.env
	case k.origin.line > 0:
		return fmt.Sprintf("%s:%d: %s", k.section.set.file, k.origin.line, k.name)
	default:
		return fmt.Sprintf("%s: [%s] %s", k.section.set.fileName(), k.section.name, k.name)
	}
}

func (s *Section) typed(k *Key) *Key {
	k.kind = kindTyped
	return s.add(k)
}

func (s *Section) add(k *Key) *Key {
	if s.key(k.name) != nil {
		panic("inifile: key [" + s.name + "] " + k.name + " is declared twice")
	}
	k.section = s
	s.keys = append(s.keys, k)
	k.reset()
	return k
}

func (s *Section) key(name string) *Key {
	i := slices.IndexFunc(s.keys, func(k *Key) bool { return k.name == name })
	if i < 0 {
		return nil
	}
	return s.keys[i]
}
