package dcvconf

import (
	"errors"
	"slices"
	"strings"
)

// DefaultPath is where DCV has its settings on Linux and macOS.
const DefaultPath = "/etc/dcv/dcv.conf"

// Errors that callers can act on.
var (
	ErrNothingToUndo = errors.New("nothing to undo")
	ErrChanged       = errors.New("it was changed by somebody else meanwhile")
)

// A Change is what a setting was and becomes.
type Change struct {
	Section, Key  string
	Before, After *Value // nil means not set
}

// Settings are those of one DCV server: as they were when they were opened, and
// what was changed since. They are not safe for concurrent use.
type Settings struct {
	store   store
	touched []setting
	undoing bool
}

type setting struct {
	section, key string
	before       *Value
}

// A store is where settings are kept. What set, unset and restore do shows in get
// at once and is kept by save.
type store interface {
	where() string
	get(section, key string) (Value, bool)
	set(section, key string, v Value)
	unset(section, key string)
	save() error // returns an error that wraps ErrChanged when somebody else was quicker

	keeper
}

// A keeper remembers how settings were, so that what was changed can be undone.
type keeper interface {
	prepare() error                 // keeps a copy of how it was, if there is none yet
	sum() (now, saved string)       // identifies the content as opened, and as save will leave it; "" means unknown
	restore(before string) bool     // goes back to the copy, if it has that sum
	record() (text []byte, _ error) // what keep kept; the error wraps fs.ErrNotExist when it did not
	keep(text []byte) error
	forget() error // removes what keep kept, and the copy if it is the same as the content
}

// Open reads the settings in the file at path; a symbolic link is followed. The
// error wraps [io/fs.ErrNotExist] when there is no file.
func Open(path string) (*Settings, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &Settings{store: f}, nil
}

// Where names the file or the registry key.
func (s *Settings) Where() string { return s.store.where() }

// Get returns a setting and whether it is set. Section is what stands in brackets,
// such as "session-management/automatic-console-session". Where a file sets it
// more than once the last one counts.
func (s *Settings) Get(section, key string) (Value, bool) { return s.store.get(section, key) }

// Set changes a setting in memory. One that means the same already is left as it
// is written.
func (s *Settings) Set(section, key string, v Value) {
	if now, ok := s.Get(section, key); ok && now.same(v) {
		return
	}
	s.touch(section, key)
	s.store.set(section, key, v)
}

// Unset removes a setting in memory, so that the default of DCV counts.
func (s *Settings) Unset(section, key string) {
	s.touch(section, key)
	s.store.unset(section, key)
}

// touch notes what a setting was before the first change.
func (s *Settings) touch(section, key string) {
	if !slices.ContainsFunc(s.touched, func(t setting) bool { return t.section == section && t.key == key }) {
		s.touched = append(s.touched, setting{section, key, s.now(section, key)})
	}
}

func (s *Settings) now(section, key string) *Value {
	if v, ok := s.Get(section, key); ok {
		return &v
	}
	return nil
}

// Changes returns what [Settings.Save] would change, in the order in which it was
// set. It is empty when there is nothing to save.
func (s *Settings) Changes() []Change {
	var changes []Change
	for _, t := range s.touched {
		after := s.now(t.section, t.key)
		if !equal(t.before, after) {
			changes = append(changes, Change{t.section, t.key, t.before, after})
		}
	}
	return changes
}

func equal(a, b *Value) bool { return a == nil && b == nil || a != nil && b != nil && a.same(*b) }

// Diff returns the changes for a person: the file, and in each section the lines
// that go with "-" and those that come with "+". It is "" when there are none.
func (s *Settings) Diff() string {
	changes := s.Changes()
	if len(changes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(s.Where() + "\n")
	var sections []string
	for _, c := range changes {
		if !slices.Contains(sections, c.Section) {
			sections = append(sections, c.Section)
		}
	}
	for _, section := range sections {
		b.WriteString("  [" + section + "]\n")
		for _, c := range changes {
			if c.Section != section {
				continue
			}
			if c.Before != nil {
				b.WriteString("- " + c.Key + "=" + string(*c.Before) + "\n")
			}
			if c.After != nil {
				b.WriteString("+ " + c.Key + "=" + string(*c.After) + "\n")
			}
		}
	}
	return b.String()
}

// Save keeps the changes, all or none of a file's. Before the first one it copies
// the file to {path}.dcvix-backup, which later ones leave alone, and it notes for
// [Settings.Undo] what it replaces. It writes nothing when there are no changes.
// The error wraps [ErrChanged] when the file is no longer as it was read.
func (s *Settings) Save() error {
	changes := s.Changes()
	if s.undoing {
		if err := s.store.save(); err != nil {
			return err
		}
		return s.store.forget()
	}
	if len(changes) == 0 {
		return nil
	}
	if err := s.store.prepare(); err != nil {
		return err
	}
	if err := s.note(changes); err != nil {
		return err
	}
	return s.store.save()
}
