package inifile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dcvix/dcvix/internal/nearest"
)

// A Source is where [Set.Load] reads from.
type Source struct {
	Path    string   // the configuration file; empty means none
	Environ []string // as os.Environ returns it; nil means none
	Lenient bool     // unknown sections and keys, and repeated keys, become notes instead of problems
}

// A Note is something that Load saw and that does not stop the program.
type Note struct {
	Level slog.Level // info or warning
	Text  string     // one sentence
}

// An origin is where a value came from; the zero value means the default.
type origin struct {
	line int    // of the file
	env  string // name of the environment variable
}

// maxProblems bounds the report: more means that the file is something else.
const maxProblems = 20

// Load sets every declared variable to its default, then to what the file says,
// then to what the environment says. It returns all problems joined, in line
// order; the variables are not to be used then. It can be called again.
//
// A variable of the environment is named DCVIX_{SECTION}_{KEY}, in upper case
// with every character that is no letter and no digit as "_"; one that belongs
// to a section of this set and to none of its keys is a problem too.
func (s *Set) Load(src Source) error {
	s.file, s.notes = src.Path, nil
	for _, sec := range s.sections {
		for _, k := range sec.keys {
			k.origin = origin{}
			k.reset()
		}
	}
	l := loader{set: s, lenient: src.Lenient, given: map[*Key]given{}}
	if src.Path != "" {
		content, err := readBounded(src.Path)
		if err != nil {
			return fmt.Errorf("the configuration file cannot be read: %w", err)
		}
		l.readFile(content)
	}
	l.readEnviron(src.Environ)
	l.assign()
	return l.report()
}

// Notes returns what the last Load saw and that does not stop the program.
func (s *Set) Notes() []Note { return slices.Clone(s.notes) }

// LogNotes writes the notes of the last Load to logger.
func (s *Set) LogNotes(ctx context.Context, logger *slog.Logger) {
	for _, n := range s.notes {
		logger.LogAttrs(ctx, n.Level, "configuration", slog.String("note", n.Text))
	}
}

func (s *Set) note(level slog.Level, format string, args ...any) { // any as in fmt, which it passes it to
	s.notes = append(s.notes, Note{Level: level, Text: fmt.Sprintf(format, args...)})
}

// fileName is how messages name the file, also when there is none.
func (s *Set) fileName() string {
	if s.file != "" {
		return s.file
	}
	return s.name + ".conf"
}

// resolve makes a path absolute, counted from the folder of the file.
func (s *Set) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	if s.file != "" {
		path = filepath.Join(filepath.Dir(s.file), path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// A loader collects what is given before anything is assigned, so that the
// environment can override the file.
type loader struct {
	set      *Set
	lenient  bool
	given    map[*Key]given
	problems []problem
}

// given is the value of a key and where it stands.
type given struct {
	origin

	value  string
	isFile bool // value is the path of a file that holds the secret
}

// A problem is one sentence. Those without a line come last.
type problem struct {
	line int
	text string
}

func (l *loader) problemf(line int, format string, args ...any) { // any as in fmt, which it passes it to
	text := fmt.Sprintf(format, args...)
	if line > 0 {
		text = fmt.Sprintf("%s:%d: %s", l.set.file, line, text)
	}
	l.problems = append(l.problems, problem{line: line, text: text})
}

// unknown is a problem, or with Lenient a note.
func (l *loader) unknown(line int, text string) {
	if l.lenient {
		l.set.note(slog.LevelWarn, "%s:%d: %s (ignored)", l.set.file, line, text)
		return
	}
	l.problemf(line, "%s", text)
}

func (l *loader) readFile(content []byte) {
	for _, line := range scan(content) {
		switch {
		case line.problem != "":
			l.problemf(line.number, "%s", line.problem)
		case line.key == "":
			if l.set.section(line.section) == nil {
				l.unknown(line.number, l.unknownSection(line.section))
			}
		case line.section == "":
			l.problemf(line.number, "a key stands before the first section: put [%s] above it", l.homeOf(line.key))
		default:
			l.readKey(line)
		}
	}
}

func (l *loader) readKey(line line) {
	sec := l.set.section(line.section)
	if sec == nil {
		return // said at the section itself
	}
	k, isFile := sec.lookup(line.key)
	if k == nil {
		l.unknown(line.number, l.unknownKey(sec, line.key))
		return
	}
	g := given{origin: origin{line: line.number}, value: unquote(line.value), isFile: isFile}
	if k.kind == kindTyped {
		g.value = unquote(cutComment(line.value))
	} else if k.kind == kindText && commentStart(line.value) > 0 {
		l.set.note(slog.LevelWarn, `%s:%d: the value of %s contains " #" or " ;", which is part of it: put a comment on a line of its own`, l.set.file, line.number, line.key)
	}
	if before, ok := l.given[k]; !ok || l.replaces(k, before, g) {
		l.given[k] = g
	}
}

// replaces refuses a key that the file gives twice. The 0.1 generation let the
// last one win without a word, so Lenient, which upgrades set, does that too but
// says it.
func (l *loader) replaces(k *Key, before, g given) bool {
	switch {
	case before.isFile != g.isFile:
		l.problemf(g.line, "%s and %s_file are both given (line %d): remove one", k.name, k.name, before.line)
	case l.lenient:
		l.set.note(slog.LevelWarn, "%s:%d: %s is given again (line %d): this one counts", l.set.file, g.line, k.name, before.line)
		return true
	default:
		l.problemf(g.line, "%s is given again (line %d): remove one", k.name, before.line)
	}
	return false
}

func (l *loader) readEnviron(environ []string) {
	type target struct {
		key    *Key
		isFile bool
	}
	targets := map[string]target{}
	for _, sec := range l.set.sections {
		for _, name := range sec.names() {
			k, isFile := sec.lookup(name)
			targets[envName(sec.name, name)] = target{k, isFile}
		}
	}
	seen := map[*Key]string{}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		to, ok := targets[name]
		switch {
		case !ok:
			l.unknownVariable(name)
		case seen[to.key] != "":
			l.problemf(0, "%s and %s are both set: unset one", seen[to.key], name)
		case strings.ContainsFunc(value, isForbidden):
			l.problemf(0, "%s contains a control character: remove it", name)
		default:
			seen[to.key] = name
			l.given[to.key] = given{origin: origin{env: name}, value: value, isFile: to.isFile}
		}
	}
}

// unknownVariable speaks up about a variable that is meant for a section of
// this set. Others may belong to another program.
func (l *loader) unknownVariable(name string) {
	for _, sec := range l.set.sections {
		prefix := envName(sec.name, "")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		var known []string
		for _, key := range sec.names() {
			known = append(known, strings.TrimPrefix(envName(sec.name, key), prefix))
		}
		text := fmt.Sprintf("%.80s is set and belongs to no key of [%s]", name, sec.name)
		if near := nearest.Word(name[len(prefix):], known); near != "" {
			text += " (did you mean " + prefix + near + "?)"
		}
		if l.lenient {
			l.set.note(slog.LevelWarn, "%s (ignored)", text)
			return
		}
		l.problemf(0, "%s: correct or unset it", text)
		return
	}
}

func (l *loader) assign() {
	for _, sec := range l.set.sections {
		for _, k := range sec.keys {
			g, ok := l.given[k]
			if ok {
				l.assignKey(k, g)
			}
			if k.required != "" && (!ok || g.value == "") {
				l.missing(k)
			}
		}
	}
}

func (l *loader) assignKey(k *Key, g given) {
	k.origin = g.origin
	if k.kind == kindReserved {
		l.set.note(slog.LevelInfo, "%s has no meaning in this version and is ignored", k.Where())
		return
	}
	if k.kind == kindTyped && g.value == "" {
		return // an empty number means the default, as it did in 0.1
	}
	value, err := g.value, error(nil)
	if g.isFile {
		value, err = readSecret(l.set.resolve(g.value))
	}
	if err == nil {
		err = k.assign(value)
	}
	if err == nil && k.check != nil {
		err = k.check(value)
	}
	switch {
	case err == nil:
	case g.env != "":
		l.problemf(0, "%s: %v", g.env, err)
	default:
		l.problemf(g.line, "%s: %v", k.name, err)
	}
}

func (l *loader) missing(k *Key) {
	if l.set.file == "" {
		l.problemf(0, "[%s] %s is missing: add %s to %s, or set %s", k.section.name, k.name, k.required, l.set.fileName(), envName(k.section.name, k.name))
		return
	}
	l.problemf(0, "%s: [%s] %s is missing: add %s", l.set.file, k.section.name, k.name, k.required)
}

func (l *loader) report() error {
	slices.SortStableFunc(l.problems, func(a, b problem) int {
		if (a.line == 0) != (b.line == 0) {
			return b.line - a.line
		}
		return a.line - b.line
	})
	var all []error
	for i, p := range l.problems {
		if i == maxProblems {
			all = append(all, fmt.Errorf("and %d more", len(l.problems)-i))
			break
		}
		all = append(all, errors.New(p.text))
	}
	return errors.Join(all...)
}

// lookup finds the key that name means, which may be the {key}_file of a secret.
func (s *Section) lookup(name string) (k *Key, isFile bool) {
	if k := s.key(name); k != nil {
		return k, false
	}
	if base, ok := strings.CutSuffix(name, "_file"); ok {
		if k := s.key(base); k != nil && k.kind == kindSecret {
			return k, true
		}
	}
	return nil, false
}

// names returns all that may stand in the section.
func (s *Section) names() []string {
	var names []string
	for _, k := range s.keys {
		names = append(names, k.name)
		if k.kind == kindSecret && s.key(k.name+"_file") == nil {
			names = append(names, k.name+"_file")
		}
	}
	return names
}

// plainKey is the form of a key that a message may repeat. A fragment of a
// wrapped secret can look like "key = value" too; those have capitals or signs.
var plainKey = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,39}$`)

func (l *loader) unknownKey(sec *Section, key string) string {
	if near := nearest.Word(key, sec.names()); near != "" {
		return fmt.Sprintf("unknown key %.60q in [%s]: did you mean %s? Correct or remove the line", key, sec.name, near)
	}
	if !plainKey.MatchString(key) {
		return fmt.Sprintf("unknown key in [%s]: correct or remove the line", sec.name)
	}
	for _, other := range l.set.sections {
		if k, _ := other.lookup(key); k != nil {
			return fmt.Sprintf("key %q belongs to [%s], not to [%s]: move the line there", key, other.name, sec.name)
		}
	}
	return fmt.Sprintf("unknown key %q in [%s]: remove the line", key, sec.name)
}

func (l *loader) unknownSection(name string) string {
	var known []string
	for _, sec := range l.set.sections {
		known = append(known, sec.name)
	}
	if near := nearest.Word(name, known); near != "" {
		return fmt.Sprintf("unknown section [%.60s]: did you mean [%s]?", printable(name), near)
	}
	return fmt.Sprintf("unknown section [%.60s]: the sections of %s are [%s]", printable(name), l.set.name, strings.Join(known, "], ["))
}

// homeOf names the section that a key outside of one is meant for.
func (l *loader) homeOf(key string) string {
	for _, sec := range l.set.sections {
		if k, _ := sec.lookup(key); k != nil {
			return sec.name
		}
	}
	if len(l.set.sections) == 0 {
		return l.set.name
	}
	return l.set.sections[0].name
}

func printable(s string) string {
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}

func envName(section, key string) string {
	return "DCVIX_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		default:
			return '_'
		}
	}, section+"_"+key)
}

func readSecret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	content, err := readBounded(path)
	if err != nil {
		return "", valueError("the file with the secret cannot be read: %v", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r"), nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB: name the right file", path)
	}
	return content, nil
}
