package dcvconf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// A record says what Save replaced, in JSON. It is kept beside the settings.
type record struct {
	Note     string     `json:"note"`
	Settings []replaced `json:"settings"`

	// Before and After identify the content before the first Save and after the
	// last one. Before is "" when somebody else changed it in between.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// replaced is one setting before the first Save and after the last one.
type replaced struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Before  *Value `json:"before"`
	After   *Value `json:"after"`
}

// read returns the record, empty when there is none.
func (s *Settings) read() (record, error) {
	var r record
	text, err := s.store.record()
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read what was changed in %s: %w", s.Where(), err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("what was changed in %s cannot be read: %w: undo it by hand, then remove the damaged note beside it", s.Where(), err)
	}
	return r, nil
}

// note adds changes that are about to be saved to the record.
func (s *Settings) note(changes []Change) error {
	r, err := s.read()
	if err != nil {
		return err
	}
	r.Note = "What dcvix replaced in the settings of the DCV server; its undo needs this file."
	now, saved := s.store.sum()
	if len(r.Settings) == 0 {
		r.Before = now
	} else if r.After != now {
		r.Before = "" // somebody else was here
	}
	r.After = saved
	for _, c := range changes {
		r.add(c)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("note the changes: %w", err)
	}
	return s.store.keep(append(text, '\n'))
}

func (r *record) add(c Change) {
	for i, known := range r.Settings {
		if known.Section == c.Section && known.Key == c.Key {
			if !equal(known.After, c.Before) { // set by somebody else since: that is to come back
				r.Settings[i].Before = c.Before
			}
			r.Settings[i].After = c.After
			return
		}
	}
	r.Settings = append(r.Settings, replaced(c))
}

// Undo takes back in memory what earlier Saves changed; Save then keeps that and
// forgets the record. A file that nobody else edited becomes what it was, byte for
// byte. In one that was edited, the settings that still are as they were saved get
// their old values, and those that somebody else changed since are returned and
// stay. The error wraps [ErrNothingToUndo] when no change is on record.
func (s *Settings) Undo() (left []Change, err error) {
	r, err := s.read()
	if err != nil {
		return nil, err
	}
	if len(r.Settings) == 0 {
		return nil, fmt.Errorf("%s: %w", s.Where(), ErrNothingToUndo)
	}
	s.undoing = true
	for _, c := range r.Settings {
		s.touch(c.Section, c.Key)
	}
	if now, _ := s.store.sum(); r.Before != "" && now == r.After && s.store.restore(r.Before) {
		return nil, nil
	}
	for _, c := range r.Settings {
		now := s.now(c.Section, c.Key)
		switch {
		case equal(now, c.Before):
		case !equal(now, c.After):
			left = append(left, Change{c.Section, c.Key, now, c.Before})
		case c.Before == nil:
			s.store.unset(c.Section, c.Key)
		default:
			s.store.set(c.Section, c.Key, *c.Before)
		}
	}
	return left, nil
}
