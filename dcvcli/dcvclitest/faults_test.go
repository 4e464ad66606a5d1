package dcvclitest_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// faulty is a host with one fault and the virtual session "old" of before.
type faulty struct {
	dcv    *dcvclitest.DCV // its state
	runner dcvcli.Runner   // its command
	faults dcvclitest.Faults
}

// run runs a command and returns what it printed.
func (h faulty) run(t *testing.T, args string) (string, error) {
	t.Helper()
	out, err := h.runner.Run(t.Context(), strings.Fields(args)...)
	return string(out), err
}

func (h faulty) must(t *testing.T, args string) string {
	t.Helper()
	out, err := h.run(t, args)
	require.NoError(t, err)
	return out
}

// fails runs a command and returns the exit status and what it said.
func (h faulty) fails(t *testing.T, args string) (int, string) {
	t.Helper()
	_, err := h.run(t, args)
	var failure *dcvcli.CommandError
	require.ErrorAs(t, err, &failure)
	return failure.ExitCode, failure.Stderr
}

// ids returns what is really there.
func (h faulty) ids(t *testing.T) string {
	t.Helper()
	state, err := h.dcv.State()
	require.NoError(t, err)
	var ids []string
	for _, s := range state.Sessions {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

// faultShows has for every fault what it does.
func faultShows() map[string]func(*testing.T, faulty) {
	return map[string]func(*testing.T, faulty){
		"slow": func(t *testing.T, h faulty) {
			start := time.Now()
			h.must(t, "list-sessions")
			assert.GreaterOrEqual(t, time.Since(start), h.faults.Slow)
		},
		"hang": func(t *testing.T, h faulty) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := h.runner.Run(ctx, "create-session", "new")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, "old", h.ids(t))
		},
		"crash": func(t *testing.T, h faulty) {
			code, said := h.fails(t, "create-session new")
			assert.Equal(t, 137, code)
			assert.Empty(t, said)
			assert.Equal(t, "old", h.ids(t))
		},
		"down": func(t *testing.T, h faulty) {
			code, _ := h.fails(t, "list-sessions")
			assert.Equal(t, 1, code)
		},
		"noLicence": func(t *testing.T, h faulty) {
			_, said := h.fails(t, "create-session new")
			assert.Contains(t, said, "no licenses")
			assert.Equal(t, "old", h.ids(t))
			h.must(t, "close-session old")
		},
		"loseCreated": func(t *testing.T, h faulty) {
			h.must(t, "create-session new")
			assert.Equal(t, "old", h.ids(t))
		},
		"loseClosed": func(t *testing.T, h faulty) {
			h.must(t, "close-session old")
			assert.Equal(t, "old", h.ids(t))
		},
		"vanishAfter": func(t *testing.T, h faulty) {
			h.must(t, "create-session new")
			assert.Equal(t, "old new", h.ids(t))
			time.Sleep(h.faults.VanishAfter)
			assert.Equal(t, "old", h.ids(t))
		},
		"crashAfter": func(t *testing.T, h faulty) {
			code, said := h.fails(t, "create-session new")
			assert.Equal(t, 137, code)
			assert.Empty(t, said)
			assert.Equal(t, "old new", h.ids(t))
		},
		"failDone": func(t *testing.T, h faulty) {
			code, said := h.fails(t, "close-session old")
			assert.Equal(t, 1, code)
			assert.NotEmpty(t, said)
			assert.Empty(t, h.ids(t))
		},
		"lag": func(t *testing.T, h faulty) {
			h.must(t, "create-session new")
			h.must(t, "close-session old")
			assert.Contains(t, h.must(t, "list-sessions"), "'old'")
			h.must(t, "describe-session old")
			h.must(t, "list-connections old -j")
			h.fails(t, "describe-session new")
			h.fails(t, "create-session new") // the host itself does not lag
			time.Sleep(h.faults.Lag)
			assert.NotContains(t, h.must(t, "list-sessions"), "'old'")
			assert.Contains(t, h.must(t, "list-sessions --json"), `"new"`)
			state, err := h.dcv.State()
			require.NoError(t, err)
			assert.Empty(t, state.Past)
		},
		"warning": func(t *testing.T, h faulty) {
			assert.NotContains(t, h.must(t, "list-sessions"), h.faults.Warning)
			_, said := h.fails(t, "close-session none")
			assert.Equal(t, h.faults.Warning, said)
		},
		"garbage": func(t *testing.T, h faulty) {
			assert.False(t, json.Valid([]byte(h.must(t, "list-sessions -j"))))
			h.must(t, "create-session new")
			assert.Equal(t, "old new", h.ids(t))
		},
		"truncate": func(t *testing.T, h faulty) {
			out := h.must(t, "list-sessions -j")
			assert.True(t, strings.HasPrefix(out, "[\n  {\n    \"id\" : \"old\",\n"), out)
			assert.False(t, json.Valid([]byte(out)))
		},
		"noJSON": func(t *testing.T, h faulty) {
			for _, args := range []string{"list-sessions -j", "describe-session old --json", "list-connections old --json", "version --json"} {
				h.fails(t, args)
			}
			assert.Contains(t, h.must(t, "list-sessions"), "'old'")
		},
		"extraKeys": func(t *testing.T, h faulty) {
			out := h.must(t, "list-sessions -j")
			assert.Equal(t, 3, strings.Count(out, `"fake-unknown-key"`), out) // session, licence, display
		},
		"nullTimes": func(t *testing.T, h faulty) {
			assert.Contains(t, h.must(t, "describe-session old -j"), `"last-disconnection-time" : null`)
		},
		"noFraction": func(t *testing.T, h faulty) {
			assert.Regexp(t, `"creation-time" : "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"`, h.must(t, "describe-session old -j"))
		},
		"upperCase": func(t *testing.T, h faulty) {
			out := h.must(t, "describe-session old -j")
			assert.Contains(t, out, `"status" : "LICENSED"`)
			assert.Contains(t, out, `"licensing-mode" : "DEMO"`)
		},
		"unquotedIDs": func(t *testing.T, h faulty) {
			assert.True(t, strings.HasPrefix(h.must(t, "list-sessions"), "Session: old ("))
		},
	}
}

func TestEveryFaultShows(t *testing.T) {
	shows := faultShows()
	require.Len(t, dcvclitest.AllFaults(), len(shows))
	for _, fault := range dcvclitest.AllFaults() {
		show := shows[fault.Name]
		require.NotNil(t, show, fault.Name)
		t.Run(fault.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dcv := newDCV(t, dcvclitest.Config{})
				h := faulty{dcv: dcv, runner: dcv}
				h.must(t, "create-session old")
				fault.Apply(&h.faults)
				set(t, dcv, h.faults)
				show(t, h)
			})
		})
	}
}

func TestAllFaultsHasEveryFieldOnce(t *testing.T) {
	found := map[string]bool{}
	for _, fault := range dcvclitest.AllFaults() {
		var faults dcvclitest.Faults
		fault.Apply(&faults)
		fields := reflect.ValueOf(faults)
		for i := range fields.NumField() {
			name := fields.Type().Field(i).Tag.Get("json")
			assert.Equal(t, name == fault.Name, !fields.Field(i).IsZero(), "%s sets %s", fault.Name, name)
		}
		assert.False(t, found[fault.Name], fault.Name)
		found[fault.Name] = true
	}
	assert.Len(t, found, reflect.TypeFor[dcvclitest.Faults]().NumField())
}

// TestWithEveryDressTheClientReadsTheSame switches on all faults of the form at
// once: the real client must not notice.
func TestWithEveryDressTheClientReadsTheSame(t *testing.T) {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	dcv := newDCV(t, dcvclitest.Config{Now: func() time.Time { return now }})
	cli := newCLI(t, dcv, "linux")
	require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "a", Owner: "alice"}))
	before, err := cli.List(t.Context())
	require.NoError(t, err)
	set(t, dcv, dcvclitest.Faults{Warning: "w", ExtraKeys: true, NullTimes: true, NoFraction: true})
	after, err := cli.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before, after)

	set(t, dcv, dcvclitest.Faults{NoJSON: true, UnquotedIDs: true})
	after, err = cli.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Session{{ID: "a", Owner: "alice", Type: dcvcli.Console, ActivityUnknown: true}}, after)
}
