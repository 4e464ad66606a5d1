package dcvcli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

// runnerFunc answers commands in place of dcv.
type runnerFunc func(ctx context.Context, args ...string) ([]byte, error)

func (f runnerFunc) Run(ctx context.Context, args ...string) ([]byte, error) { return f(ctx, args...) }

func newCLI(t testing.TB, platform string, run runnerFunc) *dcvcli.CLI {
	t.Helper()
	cli, err := dcvcli.New(dcvcli.Config{Runner: run, Platform: platform})
	require.NoError(t, err)
	return cli
}

// printing is a dcv that prints out whatever it is asked.
func printing(out []byte) runnerFunc {
	return func(context.Context, ...string) ([]byte, error) { return out, nil }
}

func capture(t testing.TB, name string) []byte {
	t.Helper()
	out, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	require.NoError(t, err)
	return out
}

func at(t *testing.T, rfc3339 string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339Nano, rfc3339)
	require.NoError(t, err)
	return moment
}

func TestNewRefusesNegativeLimits(t *testing.T) {
	_, err := dcvcli.New(dcvcli.Config{Timeout: -1})
	require.Error(t, err)
	_, err = dcvcli.New(dcvcli.Config{Settle: -1})
	require.Error(t, err)
}

func TestVersionReadsTheRelease(t *testing.T) {
	tests := map[string]struct{ out, want string }{
		"Amazon DCV":      {out: string(capture(t, "2025.0/version.txt")), want: "2025.0-20103"},
		"NICE DCV":        {out: string(capture(t, "2023.1/version.txt")), want: "2023.1-16388"},
		"something else":  {out: "\n DCV of the future\x1b[2J\n", want: `DCV of the future\x1b[2J`},
		"a very long one": {out: strings.Repeat("é", 150), want: strings.Repeat("é", 100)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newCLI(t, "linux", printing([]byte(tt.out))).Version(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
	_, err := newCLI(t, "linux", printing(nil)).Version(t.Context())
	require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
}

func TestAFailureIsNotFoundOnlyWhenTheListSaysSo(t *testing.T) {
	failure := &dcvcli.CommandError{Verb: "describe-session", ExitCode: 1, Stderr: "no"}
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if args[0] == "list-sessions" {
			return []byte(`[{"id":"there"}]`), nil
		}
		return nil, failure
	})
	_, err := cli.Describe(t.Context(), "gone")
	require.ErrorIs(t, err, dcvcli.ErrNotFound)
	_, err = cli.Connections(t.Context(), "gone")
	require.ErrorIs(t, err, dcvcli.ErrNotFound)

	_, err = cli.Describe(t.Context(), "there")
	require.NotErrorIs(t, err, dcvcli.ErrNotFound)
	assert.Equal(t, 1, strings.Count(err.Error(), "exit status"), "what both forms say is said once")
	var got *dcvcli.CommandError
	require.ErrorAs(t, err, &got)
	assert.Equal(t, failure, got)
}

func TestAHangingCommandEndsAtTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		cli := newCLI(t, "linux", func(ctx context.Context, _ ...string) ([]byte, error) {
			runs.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		start := time.Now()
		_, err := cli.Describe(t.Context(), "a")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Contains(t, err.Error(), "no answer within 30s")
		assert.Equal(t, 30*time.Second, time.Since(start))

		_, err = cli.List(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, int32(2), runs.Load(), "a command that hangs is not tried in another form")
	})
}

func TestACallerWhoLeavesIsNotATimeout(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	cli := newCLI(t, "linux", func(ctx context.Context, _ ...string) ([]byte, error) {
		leave()
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err := cli.List(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, errors.Is(err, context.DeadlineExceeded))
}

func TestAMissingCommandIsNotTriedInAnotherForm(t *testing.T) {
	runs := 0
	cli := newCLI(t, "linux", func(context.Context, ...string) ([]byte, error) {
		runs++
		return nil, dcvcli.ErrNotInstalled
	})
	_, err := cli.List(t.Context())
	require.ErrorIs(t, err, dcvcli.ErrNotInstalled)
	_, err = cli.Describe(t.Context(), "a")
	require.ErrorIs(t, err, dcvcli.ErrNotInstalled)
	assert.Equal(t, 2, runs)
}
