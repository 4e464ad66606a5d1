package dcvclitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// store keeps a state between commands. Its functions are called under the lock
// of the DCV.
type store interface {
	// change calls do with the state and keeps what do made of it unless do
	// returns an error.
	change(do func(*State) error) error
}

// memory is the store of one process.
type memory struct{ state State }

func (m *memory) change(do func(*State) error) error {
	next := m.state.clone()
	if err := do(&next); err != nil {
		return err
	}
	m.state = next
	return nil
}

// directory is the store that processes share: state.json, always a whole one
// because it is replaced by renaming, and a lock file beside it.
type directory struct{ path string }

func (d directory) change(do func(*State) error) (err error) {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return fmt.Errorf("fake dcv: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(d.path, "state.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("fake dcv: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // closing gives the lock back
	if err := lockFile(lock); err != nil {
		return fmt.Errorf("fake dcv: lock %s: %w", lock.Name(), err)
	}
	before, err := os.ReadFile(d.file())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("fake dcv: %w", err)
	}
	var state State
	if len(before) > 0 {
		if err := json.Unmarshal(before, &state); err != nil {
			return fmt.Errorf("fake dcv: %s is damaged, remove it: %w", d.file(), err)
		}
	}
	if err := do(&state); err != nil {
		return err
	}
	after, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return fmt.Errorf("fake dcv: %w", err)
	}
	if string(after) == string(before) {
		return nil // most commands only look
	}
	return d.replace(after)
}

func (d directory) file() string { return filepath.Join(d.path, "state.json") }

// replace writes the state beside the old one and renames it over that.
func (d directory) replace(state []byte) error {
	next, err := os.OpenFile(d.file()+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) // of one name: the lock is held
	if err != nil {
		return fmt.Errorf("fake dcv: %w", err)
	}
	_, err = next.Write(state)
	if err = errors.Join(err, next.Sync(), next.Close()); err == nil {
		err = os.Rename(next.Name(), d.file())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("fake dcv: keep the state: %w", err), os.Remove(next.Name()))
	}
	return nil
}
