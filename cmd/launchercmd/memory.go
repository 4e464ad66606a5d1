package launchercmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/internal/durable"
)

// memoryName is the file of what is remembered, in the person's folder.
const memoryName = "dcvix-launcher.json"

const (
	maxMemory     = 4 << 20 // bytes of the file
	maxUsed       = 500     // desktops of a director whose last use is remembered
	maxFavourites = 5000    // of a director
)

// A Place is where the window was, in units of the window toolkit. The zero value
// means that it has never been anywhere.
type Place struct {
	X      int   `json:"x,omitempty"`
	Y      int   `json:"y,omitempty"`
	Width  int   `json:"width,omitempty"`
	Height int   `json:"height,omitempty"`
	Dark   *bool `json:"dark,omitempty"` // nil means as the system has it
}

// remembered is the content of the file.
type remembered struct {
	Broker      string                   `json:"broker,omitempty"` // when the configuration names none
	Preferences *Preferences             `json:"preferences,omitempty"`
	Place       Place                    `json:"window,omitzero"`
	Directors   map[string]*acquaintance `json:"directors,omitempty"` // by URL
}

// An acquaintance is what is remembered of one director.
type acquaintance struct {
	CA         string               `json:"ca,omitempty"` // PEM; the person trusts it
	User       string               `json:"user,omitempty"`
	Favourites []string             `json:"favourites,omitempty"` // keys of desktops
	Used       map[string]time.Time `json:"used,omitempty"`       // by key of the desktop
}

// memory keeps what is remembered. Nothing in it is a secret. It is safe for
// concurrent use, also by several processes.
type memory struct {
	folder string // empty means that nothing is kept beyond the process
	words  *words.Words

	mu sync.Mutex // guards what follows
	is remembered
}

// openMemory reads the file. When it cannot be read, nothing is remembered and
// note says why; a file that is damaged is kept beside.
func openMemory(folder string, w *words.Words) (m *memory, note string) {
	m = &memory{folder: folder, words: w}
	if folder == "" {
		return m, ""
	}
	is, err := m.read()
	if err == nil {
		m.is = is
		return m, ""
	}
	var damaged *damagedError
	if !errors.As(err, &damaged) {
		return m, w.Say(words.MemoryUnread, err)
	}
	aside := m.path() + ".broken"
	if err := os.Rename(m.path(), aside); err != nil {
		return m, w.Say(words.MemoryUnread, err)
	}
	return m, w.Say(words.MemoryBroken, m.path(), damaged.why, aside)
}

func (m *memory) path() string { return filepath.Join(m.folder, memoryName) }

// A damagedError says that the file is there and makes no sense.
type damagedError struct{ why string }

func (e *damagedError) Error() string { return e.why }

// read returns what the file holds; nothing when there is none.
func (m *memory) read() (remembered, error) {
	info, err := os.Stat(m.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return remembered{}, nil
	case err != nil:
		return remembered{}, err
	case info.Size() > maxMemory:
		return remembered{}, &damagedError{fmt.Sprintf("it has more than %d bytes", maxMemory)}
	}
	text, err := os.ReadFile(m.path())
	if err != nil {
		return remembered{}, err
	}
	var is remembered
	if err := json.Unmarshal(text, &is); err != nil {
		return remembered{}, &damagedError{err.Error()}
	}
	for url, a := range is.Directors {
		if a == nil {
			delete(is.Directors, url)
		}
	}
	if is.Preferences != nil && is.Preferences.Check(m.words) != nil {
		is.Preferences = nil
	}
	return is, nil
}

// change changes what is remembered, here at once and in the file, which may hold
// what another launcher has written meanwhile. After an error the change still
// holds as long as this process runs.
func (m *memory) change(f func(*remembered)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.folder == "" {
		f(&m.is)
		return nil
	}
	lock, err := m.lock()
	if err != nil {
		f(&m.is)
		return m.notKept(err)
	}
	defer lock.Close() //nolint:errcheck // it ends with the process at the latest
	if is, err := m.read(); err == nil {
		m.is = is
	}
	f(&m.is)
	text, err := json.MarshalIndent(m.is, "", "  ")
	if err != nil {
		return m.notKept(err)
	}
	if err := durable.WriteFile(m.path(), append(text, '\n'), 0o600); err != nil {
		return m.notKept(err)
	}
	return nil
}

// lock waits for another launcher that is writing.
func (m *memory) lock() (*datadir.Dir, error) {
	for tries := 0; ; tries++ {
		lock, err := datadir.Open(m.folder, "dcvix-launcher")
		if err == nil || !errors.Is(err, datadir.ErrInUse) || tries == 30 {
			return lock, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (m *memory) notKept(err error) error {
	return &saidError{m.words.Say(words.MemoryUnwritten, datadir.Explain(err)), err}
}

// look calls f with what is remembered. f must not keep or change any of it.
func (m *memory) look(f func(*remembered)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.is)
}

// of returns what is remembered of a director, to be changed.
func (r *remembered) of(url string) *acquaintance {
	if r.Directors == nil {
		r.Directors = make(map[string]*acquaintance)
	}
	if r.Directors[url] == nil {
		r.Directors[url] = new(acquaintance)
	}
	return r.Directors[url]
}

// known returns a copy of what is remembered of a director.
func (m *memory) known(url string) (a acquaintance) {
	m.look(func(r *remembered) {
		if r.Directors[url] == nil {
			return
		}
		a = *r.Directors[url]
		a.Favourites, a.Used = slices.Clone(a.Favourites), maps.Clone(a.Used)
	})
	return a
}

// used notes that a desktop was opened, and forgets those that were not for long.
func (a *acquaintance) used(key string, now time.Time) {
	if a.Used == nil {
		a.Used = make(map[string]time.Time)
	}
	a.Used[key] = now.UTC().Truncate(time.Second)
	for len(a.Used) > maxUsed {
		oldest := key
		for k, when := range a.Used {
			if when.Before(a.Used[oldest]) {
				oldest = k
			}
		}
		delete(a.Used, oldest)
	}
}

// favour adds a desktop to the favourites, or takes it from them.
func (a *acquaintance) favour(key string, yes bool) {
	a.Favourites = slices.DeleteFunc(a.Favourites, func(k string) bool { return k == key })
	if yes && len(a.Favourites) < maxFavourites {
		a.Favourites = append(a.Favourites, key)
	}
}
