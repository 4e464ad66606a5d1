package dcvclitest

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/dcvix/dcvix/dcvcli"
)

// Config says what a [DCV] is. The zero value is a Linux host of the newest
// release without a session, kept in memory.
type Config struct {
	Dir      string            // where to keep the state for other processes, made when missing; "" means in memory
	Profile  Profile           // "" means what the state in Dir says, else [Linux2025]
	Caller   string            // the account that runs the command; "" means root, on Windows Administrator
	ConfFile string            // dcv.conf of the host, read when it is needed; "" means what the state in Dir says, else none
	Settings map[string]string // "section/key" to GVariant text, as set-config would make them, over ConfFile
	Now      func() time.Time  // nil means time.Now
}

// A DCV is the fake of a host that runs DCV, as its dcv command shows it. It is
// safe for concurrent use, also by several processes when it has a directory.
type DCV struct {
	now    func() time.Time
	caller string
	keeper *keeper
}

// keeper has the state of a host.
type keeper struct {
	mu    sync.Mutex // guards store
	store store
}

var _ dcvcli.Runner = (*DCV)(nil)

// New returns a DCV. It starts nothing, and touches Dir only to note what cfg
// says of the host. With settings that have create-session=true a host without a
// session gets its automatic console session, "console".
func New(cfg Config) (*DCV, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &DCV{now: cfg.Now, caller: cfg.Caller, keeper: &keeper{store: &memory{}}}
	if cfg.Dir != "" {
		d.keeper.store = directory{path: cfg.Dir}
	}
	if cfg.Profile == "" && cfg.ConfFile == "" && cfg.Settings == nil {
		return d, nil
	}
	return d, d.Update(func(s *State) error { return s.configure(cfg) })
}

// configure notes what cfg says of the host.
func (s *State) configure(cfg Config) error {
	if cfg.Profile != "" {
		s.Profile = cfg.Profile
	}
	if cfg.ConfFile != "" {
		file, err := filepath.Abs(cfg.ConfFile) // commands may run elsewhere
		if err != nil {
			return fmt.Errorf("fake dcv: %w", err)
		}
		s.ConfFile = file
	}
	if s.Config == nil && cfg.Settings != nil {
		s.Config = map[string]string{}
	}
	maps.Copy(s.Config, cfg.Settings)
	h, err := s.hostFor("", cfg.Now())
	if err != nil {
		return fmt.Errorf("fake dcv: %w", err)
	}
	s.automaticConsole(h)
	return nil
}

// As returns the same host as another account sees it; "" is root, on Windows
// Administrator.
func (d *DCV) As(caller string) *DCV {
	return &DCV{now: d.now, caller: caller, keeper: d.keeper}
}

// Restart does what a restart of the service does: clients are disconnected,
// virtual sessions are gone (seen in use; nothing is known of consoles, which
// stay), settings that wait for a restart hold, and a host without a session gets
// its automatic console session.
func (d *DCV) Restart() error {
	return d.Update(func(s *State) error {
		s.Sessions = slices.DeleteFunc(s.Sessions, func(session Session) bool { return session.Type == "virtual" })
		s.Restarts++
		return s.start(d.now())
	})
}

// start does what the start of a server does: nobody is connected, and a host
// without a session gets its automatic console session.
func (s *State) start(now time.Time) error {
	h, err := s.hostFor("", now)
	if err != nil {
		return err
	}
	s.disconnectAll(now)
	s.automaticConsole(h)
	return nil
}

// Update changes the state in one step: what change does is kept unless it
// returns an error, which Update returns. No command runs meanwhile, so change
// must not run one.
func (d *DCV) Update(change func(*State) error) error {
	d.keeper.mu.Lock()
	defer d.keeper.mu.Unlock()
	return d.keeper.store.change(func(s *State) error {
		if s.Profile == "" {
			s.Profile = Linux2025
		}
		now := d.now()
		before := cloneSessions(s.Sessions)
		s.forgetVanished(now)
		if err := change(s); err != nil {
			return err
		}
		s.remember(before, now)
		return nil
	})
}

// State returns a copy of the state.
func (d *DCV) State() (State, error) {
	var state State
	err := d.Update(func(s *State) error {
		state = s.clone()
		return nil
	})
	return state, err
}
