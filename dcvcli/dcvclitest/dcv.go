package dcvclitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix/dcvcli"
)

// Config says what a [DCV] is. The zero value is a Linux host of the newest
// release without a session, kept in memory.
type Config struct {
	Dir     string           // where to keep the state for other processes, made when missing; "" means in memory
	Profile Profile          // "" means what the state in Dir says, else [Linux2025]
	Now     func() time.Time // nil means time.Now
}

// A DCV is the fake of a host that runs DCV, as its dcv command shows it. It is
// safe for concurrent use, also by several processes when it has a directory.
type DCV struct {
	now func() time.Time

	mu    sync.Mutex // guards store
	store store
}

var _ dcvcli.Runner = (*DCV)(nil)

// New returns a DCV. It starts nothing, and touches Dir only to note a profile.
func New(cfg Config) (*DCV, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &DCV{now: cfg.Now, store: &memory{}}
	if cfg.Dir != "" {
		d.store = directory{path: cfg.Dir}
	}
	if cfg.Profile == "" {
		return d, nil
	}
	if _, err := cfg.Profile.release(); err != nil {
		return nil, fmt.Errorf("fake dcv: %w", err)
	}
	return d, d.Update(func(s *State) error {
		s.Profile = cfg.Profile
		return nil
	})
}

// Update changes the state in one step: what change does is kept unless it
// returns an error, which Update returns. No command runs meanwhile, so change
// must not run one.
func (d *DCV) Update(change func(*State) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.store.change(func(s *State) error {
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

// Run implements [dcvcli.Runner]: it does what "dcv args…" does. A command that
// fails gives a [*dcvcli.CommandError].
func (d *DCV) Run(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	code := d.exec(ctx, args, output{&stdout, &stderr})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if code != 0 {
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		line, _, _ := strings.Cut(stderr.String(), "\n")
		return nil, &dcvcli.CommandError{Verb: name, ExitCode: code, Stderr: line}
	}
	return stdout.Bytes(), nil
}

// Main is the dcv command as a whole: it obeys args, without the name of the
// command, on the DCV whose state is in dir, and returns the exit status. A test
// binary that is started under the name dcv calls it from its TestMain.
func Main(dir string, args []string, stdout, stderr io.Writer) int {
	out := output{stdout, stderr}
	d, err := New(Config{Dir: dir})
	if err != nil {
		return out.fail(err)
	}
	return d.exec(context.Background(), args, out)
}

// output is where a command prints. What it cannot print is lost, as with any
// command whose reader left.
type output struct{ stdout, stderr io.Writer }

func (o output) fail(err error) int {
	_, _ = fmt.Fprintf(o.stderr, "fake dcv: %v\n", err)
	return 1
}

// killed is the exit status that a shell reports of a command that SIGKILL ended.
const killed = 137

// exec runs one command and returns its exit status.
func (d *DCV) exec(ctx context.Context, args []string, out output) int {
	state, err := d.State()
	if err != nil {
		return out.fail(err)
	}
	faults := state.Faults
	wait := faults.Slow
	if faults.Hang {
		wait = forever
	}
	switch {
	case !sleep(ctx, wait):
		return out.fail(context.Cause(ctx))
	case faults.Crash:
		return killed
	case faults.Down:
		return out.fail(errors.New("the server cannot be reached"))
	}
	if faults.Warning != "" {
		_, _ = fmt.Fprintln(out.stderr, faults.Warning)
	}
	var answer []byte
	err = d.Update(func(s *State) (err error) {
		answer, err = obey(s, d.now(), args)
		return err
	})
	switch {
	case err != nil:
		return out.fail(err)
	case faults.CrashAfter:
		return killed
	case faults.FailDone:
		return out.fail(errors.New("something went wrong afterwards"))
	}
	_, _ = out.stdout.Write(faults.spoil(answer))
	return 0
}

// forever is longer than anybody waits.
const forever = math.MaxInt64

// sleep reports whether it could sleep to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
