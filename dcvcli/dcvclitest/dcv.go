package dcvclitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
		s.forgetVanished(d.now())
		return change(s)
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

// exec runs one command and returns its exit status.
func (d *DCV) exec(ctx context.Context, args []string, out output) int {
	state, err := d.State()
	if err != nil {
		return out.fail(err)
	}
	if !sleep(ctx, state.Faults.Slow) {
		return out.fail(context.Cause(ctx))
	}
	if state.Faults.Down {
		return out.fail(errors.New("the server cannot be reached"))
	}
	if state.Faults.Warning != "" {
		_, _ = fmt.Fprintln(out.stderr, state.Faults.Warning)
	}
	var answer []byte
	err = d.Update(func(s *State) (err error) {
		answer, err = obey(s, d.now(), args)
		return err
	})
	if err != nil {
		return out.fail(err)
	}
	_, _ = out.stdout.Write(answer)
	return 0
}

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
