package dcvcli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

// host is a dcv with a list of session ids. The functions say what create-session
// and close-session do; they are called without its lock.
type host struct {
	mu       sync.Mutex
	sessions map[string]bool
	commands [][]string

	create, close func(ctx context.Context, h *host, id string) error
}

func (h *host) set(id string, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions == nil {
		h.sessions = map[string]bool{}
	}
	if there {
		h.sessions[id] = true
	} else {
		delete(h.sessions, id)
	}
}

func (h *host) run(ctx context.Context, args ...string) ([]byte, error) {
	h.mu.Lock()
	h.commands = append(h.commands, args)
	ids := slices.Sorted(maps.Keys(h.sessions))
	h.mu.Unlock()
	id := args[len(args)-1]
	switch args[0] {
	case "list-sessions":
		list := []map[string]string{}
		for _, id := range ids {
			list = append(list, map[string]string{"id": id})
		}
		return json.Marshal(list)
	case "create-session":
		return nil, h.create(ctx, h, id)
	case "close-session":
		return nil, h.close(ctx, h, id)
	}
	return nil, errors.New("unknown command")
}

func (h *host) ran(verb string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, args := range h.commands {
		if args[0] == verb {
			return args
		}
	}
	return nil
}

var errExit = &dcvcli.CommandError{ExitCode: 1, Stderr: "something"}

func appears(_ context.Context, h *host, id string) error    { h.set(id, true); return nil }
func disappears(_ context.Context, h *host, id string) error { h.set(id, false); return nil }
func nothing(context.Context, *host, string) error           { return nil }
func fails(context.Context, *host, string) error             { return errExit }

func TestCreateBelievesTheListNotTheExitStatus(t *testing.T) {
	tests := map[string]struct {
		before []string
		create func(context.Context, *host, string) error
		want   error
		took   time.Duration
	}{
		"created":             {create: appears},
		"refused":             {create: fails, want: errExit},
		"exit 0 but nothing":  {create: nothing, want: dcvcli.ErrNotCreated, took: 3 * time.Second},
		"the id is taken":     {before: []string{"a"}, create: fails, want: dcvcli.ErrExists},
		"another id is taken": {before: []string{"b"}, create: appears},
		"exit 1 but created": {create: func(ctx context.Context, h *host, id string) error {
			return errors.Join(appears(ctx, h, id), errExit)
		}},
		"hangs but created": {took: 30 * time.Second, create: func(ctx context.Context, h *host, id string) error {
			h.set(id, true)
			<-ctx.Done()
			return ctx.Err()
		}},
		"listed a second later": {took: 1550 * time.Millisecond, create: func(_ context.Context, h *host, id string) error {
			time.AfterFunc(time.Second, func() { h.set(id, true) })
			return nil
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{create: tt.create}
				for _, id := range tt.before {
					h.set(id, true)
				}
				start := time.Now()
				err := newCLI(t, "linux", h.run).Create(t.Context(), dcvcli.CreateOptions{ID: "a", Owner: "alice"})
				if tt.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tt.want)
				}
				assert.Equal(t, tt.took, time.Since(start))
			})
		})
	}
}

func TestCloseBelievesTheListNotTheExitStatus(t *testing.T) {
	tests := map[string]struct {
		absent bool
		close  func(context.Context, *host, string) error
		want   error
	}{
		"closed":              {close: disappears},
		"was not there":       {absent: true, close: nothing, want: dcvcli.ErrNotFound},
		"refused":             {close: fails, want: errExit},
		"exit 0 but it stays": {close: nothing, want: dcvcli.ErrNotClosed},
		"exit 1 but gone": {close: func(ctx context.Context, h *host, id string) error {
			return errors.Join(disappears(ctx, h, id), errExit)
		}},
		"gone a second later": {close: func(_ context.Context, h *host, id string) error {
			time.AfterFunc(time.Second, func() { h.set(id, false) })
			return nil
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{close: tt.close}
				h.set("a", !tt.absent)
				err := newCLI(t, "linux", h.run).Close(t.Context(), "a")
				if tt.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tt.want)
				}
			})
		})
	}
}

func TestChangesRunOneAtATimeAndLooksDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running, most int
		var mu sync.Mutex
		slow := func(ctx context.Context, h *host, id string) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return appears(ctx, h, id)
		}
		cli := newCLI(t, "linux", (&host{create: slow}).run)
		start := time.Now()
		var all sync.WaitGroup
		for _, id := range []string{"a", "b", "c"} {
			all.Go(func() { assert.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: id})) })
		}
		synctest.Wait()
		_, err := cli.List(t.Context())
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "a look has to wait for a change")

		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, cli.Close(impatient, "z"), context.DeadlineExceeded)

		all.Wait()
		assert.Equal(t, 1, most)
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestAListThatFailsLeavesTheOutcomeOpen(t *testing.T) {
	broken := errors.New("daemon down")
	lists := 0
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if args[0] != "list-sessions" {
			return nil, errExit
		}
		if lists++; lists > 1 {
			return nil, broken
		}
		return []byte("[]"), nil
	})
	err := cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a"})
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, err, errExit)
}

func TestAListThatFailsForAMomentDoesNotSpoilAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{create: appears, close: disappears}
		fail := 0
		cli := newCLI(t, "linux", func(ctx context.Context, args ...string) ([]byte, error) {
			if args[0] == "list-sessions" && fail > 0 {
				fail--
				return []byte(`[{"id":"a"`), nil
			}
			out, err := h.run(ctx, args...)
			if args[0] != "list-sessions" {
				fail = 2
			}
			return out, err
		})
		require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a"}))
		require.NoError(t, cli.Close(t.Context(), "a"))
	})
}

func TestAPartialListHindersNoCreateButProvesNothingClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{create: appears, close: disappears}
		h.set("other", true)
		cli := newCLI(t, "linux", func(ctx context.Context, args ...string) ([]byte, error) {
			out, err := h.run(ctx, args...)
			if args[0] == "list-sessions" {
				out = append(bytes.TrimSuffix(out, []byte("]")), `,{"owner":"nobody"}]`...)
			}
			return out, err
		})
		require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a"}))
		require.ErrorIs(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a"}), dcvcli.ErrExists)

		var partial *dcvcli.PartialListError
		err := cli.Close(t.Context(), "b")
		require.ErrorAs(t, err, &partial)
		require.NotErrorIs(t, err, dcvcli.ErrNotFound)
		require.ErrorAs(t, cli.Close(t.Context(), "a"), &partial)

		h.create = nothing
		require.ErrorIs(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "c"}), dcvcli.ErrNotCreated)
	})
}

func TestCloseAndLogoutIsForConsoles(t *testing.T) {
	var closed []string
	list := `[{"id":"c","type":"CONSOLE"},{"id":"v","type":"virtual"}]`
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if args[0] == "close-session" {
			closed = args
			list = "[]"
		}
		return []byte(list), nil
	})
	require.ErrorIs(t, cli.CloseAndLogout(t.Context(), "v"), dcvcli.ErrInvalid)
	require.ErrorIs(t, cli.CloseAndLogout(t.Context(), "x"), dcvcli.ErrNotFound)
	assert.Empty(t, closed)
	require.NoError(t, cli.CloseAndLogout(t.Context(), "c"))
	assert.Equal(t, []string{"close-session", "--logout-user", "c"}, closed)
}
