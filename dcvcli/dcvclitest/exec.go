package dcvclitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/dcvix/dcvix/dcvcli"
)

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
	d, err := New(Config{Dir: dir})
	if err != nil {
		return output{stdout, stderr}.fail(err)
	}
	return d.Exec(args, stdout, stderr)
}

// Exec is the dcv command on this host, started by this host's caller: it obeys
// args, without the name of the command, and returns the exit status.
func (d *DCV) Exec(args []string, stdout, stderr io.Writer) int {
	return d.exec(context.Background(), args, output{stdout, stderr})
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
		answer, err = obey(s, d.caller, d.now(), args)
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
