package dcvcli_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
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

func TestListReadsWhatEveryReleasePrints(t *testing.T) {
	tests := map[string]struct {
		file string
		want []dcvcli.Session
	}{
		"JSON of 2023.1, times with a fraction": {
			file: "2023.1/list-sessions.json",
			want: []dcvcli.Session{{
				ID: "ws-29-console", Owner: "gverdi", User: "dcv", Type: dcvcli.Console, Status: "created",
				CreationTime: at(t, "2026-03-09T07:55:40.019002Z"), LicensingMode: "demo",
				Licenses: []dcvcli.License{{
					Product: "dcv", Status: "licensed",
					CheckTimestamp: at(t, "2026-03-09T08:55:40.20441Z"), ExpirationDate: at(t, "2026-04-08T00:00:00Z"),
				}},
			}},
		},
		"text of 2023.1, quoted id and no name": {
			file: "2023.1/list-sessions.txt",
			want: []dcvcli.Session{{ID: "ws-29-console", Owner: "gverdi", Type: dcvcli.Console, ActivityUnknown: true}},
		},
		"text of 2020.1, plain id and a name that looks like an owner": {
			file: "2020.1/list-sessions.txt",
			want: []dcvcli.Session{
				{ID: "render-3", Owner: "fneri", Type: dcvcli.Virtual, Name: "Render seat 3 (owner:nobody type:console)", ActivityUnknown: true},
				{ID: "plain", Owner: `LAB\gverdi`, Type: dcvcli.Virtual, ActivityUnknown: true},
			},
		},
		"the sentence for none": {file: "2023.1/list-sessions-none.txt", want: []dcvcli.Session{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newCLI(t, "linux", printing(capture(t, tt.file))).List(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestListToleratesWhatMayBeMissing(t *testing.T) {
	const counted = `"num-of-connections":1`
	tests := map[string]struct {
		out  string
		want []dcvcli.Session
	}{
		"no session":             {out: "[]\n", want: []dcvcli.Session{}},
		"nothing printed at all": {out: "\n", want: []dcvcli.Session{}},
		"nothing but an id":      {out: `[{"id":"a"}]`, want: []dcvcli.Session{{ID: "a", ActivityUnknown: true}}},
		"null everywhere": {
			out:  `[{"id":"a",` + counted + `,"owner":null,"creation-time":null,"last-disconnection-time":null,"licenses":null,"display-layout":null}]`,
			want: []dcvcli.Session{{ID: "a", NumOfConnections: 1}},
		},
		"a key of the future": {
			out:  `[{"id":"a",` + counted + `,"colour":{"deep":[1]}}]`,
			want: []dcvcli.Session{{ID: "a", NumOfConnections: 1}},
		},
		"a time without fraction": {
			out:  `[{"id":"a",` + counted + `,"last-disconnection-time":"2026-01-02T03:04:05Z"}]`,
			want: []dcvcli.Session{{ID: "a", NumOfConnections: 1, LastDisconnectionTime: at(t, "2026-01-02T03:04:05Z")}},
		},
		"words in upper case": {
			out: `[{"id":"A",` + counted + `,"type":"CONSOLE","status":"Created","licensing-mode":"DEMO","licenses":[{"product":"dcv","status":"LICENSED"}]}]`,
			want: []dcvcli.Session{{
				ID: "A", NumOfConnections: 1, Type: dcvcli.Console, Status: "created", LicensingMode: "demo",
				Licenses: []dcvcli.License{{Product: "dcv", Status: "licensed"}},
			}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newCLI(t, "linux", printing([]byte(tt.out))).List(t.Context())
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestAnOddFieldFailsNoList(t *testing.T) {
	unknown := dcvcli.Session{ID: "a", ActivityUnknown: true}
	known := dcvcli.Session{ID: "a", NumOfConnections: 1}
	tests := map[string]struct {
		field string
		want  dcvcli.Session
	}{
		"a count below 0":                {field: `"num-of-connections":-1`, want: unknown},
		"a count in words":               {field: `"num-of-connections":"two"`, want: unknown},
		"a creation in words":            {field: `"num-of-connections":1,"creation-time":"yesterday"`, want: dcvcli.Session{ID: "a", NumOfConnections: 1, ActivityUnknown: true}},
		"a disconnection as a number":    {field: `"num-of-connections":1,"last-disconnection-time":7`, want: dcvcli.Session{ID: "a", NumOfConnections: 1, ActivityUnknown: true}},
		"an owner who is a number":       {field: `"num-of-connections":1,"owner":7`, want: known},
		"licences that are no list":      {field: `"num-of-connections":1,"licenses":"many"`, want: known},
		"licences that are no objects":   {field: `"num-of-connections":1,"licenses":[1,null,"dcv",[],{}]`, want: known},
		"a layout that is no list":       {field: `"num-of-connections":1,"display-layout":{"width":1}`, want: known},
		"displays that are no rectangle": {field: `"num-of-connections":1,"display-layout":[7,{"width":0,"height":1},{"width":"1","height":1}]`, want: known},
		"one odd licence among two": {
			field: `"num-of-connections":1,"licenses":[{"product":3,"status":{},"expiration-date":[]},{"product":"dcv","check-timestamp":1,"expiration-date":"never"}]`,
			want:  dcvcli.Session{ID: "a", NumOfConnections: 1, Licenses: []dcvcli.License{{Product: "dcv"}}},
		},
		"one odd display among two": {
			field: `"num-of-connections":1,"display-layout":[{"width":1e99,"height":1},{"width":800,"height":600,"x":-800,"y":0}]`,
			want:  dcvcli.Session{ID: "a", NumOfConnections: 1, DisplayLayout: []dcvcli.Display{{Width: 800, Height: 600, X: -800}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newCLI(t, "linux", printing([]byte(`[{"id":"a",`+tt.field+`}]`))).List(t.Context())
			require.NoError(t, err)
			assert.Equal(t, []dcvcli.Session{tt.want}, got)
		})
	}
}

func TestListRefusesWhatItCannotRead(t *testing.T) {
	tests := map[string]string{
		"cut off":              `[{"id":"a"`,
		"no array of sessions": `[1]`,
		"no id":                `[{"owner":"alice"}]`,
		"an id that is odd":    `[{"id":7}]`,
		"prose":                "The weather is fine.",
		"a text line cut off":  "Session: 'a' (owner:alice type:virt",
	}
	for name, out := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newCLI(t, "linux", printing([]byte(out))).List(t.Context())
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
		})
	}
}

func TestListReadsTextFromAServerWithoutJSON(t *testing.T) {
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if slices.Contains(args, "--json") {
			return nil, &dcvcli.CommandError{Verb: args[0], ExitCode: 1, Stderr: "unknown option"}
		}
		return []byte("Session: 'a' (owner:alice type:console)\n"), nil
	})
	got, err := cli.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Session{{ID: "a", Owner: "alice", Type: dcvcli.Console, ActivityUnknown: true}}, got)
}

func TestDescribeReadsTheDocumentedForm(t *testing.T) {
	got, err := newCLI(t, "linux", printing(capture(t, "2020.1/describe-session.json"))).Describe(t.Context(), "render-3")
	require.NoError(t, err)
	assert.Equal(t, dcvcli.Session{
		ID: "render-3", Owner: "fneri", Name: "Render seat 3", Type: dcvcli.Virtual, NumOfConnections: 2,
		CreationTime: at(t, "2026-02-14T06:12:00Z"), LastDisconnectionTime: at(t, "2026-02-14T10:44:31Z"),
		StorageRoot: "/srv/exchange/fneri", X11Display: ":4", X11Authority: "/run/user/2077/dcv/render-3.xauth",
		Licenses: []dcvcli.License{
			{Product: "dcv", Status: "licensed", CheckTimestamp: at(t, "2026-02-14T10:40:00Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
			{Product: "dcv-gl", Status: "licensed", CheckTimestamp: at(t, "2026-02-14T10:40:00Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
		},
		DisplayLayout: []dcvcli.Display{{Width: 1440, Height: 900}},
	}, got)
}

func TestConnectionsReadsWhatWasSeenInUse(t *testing.T) {
	got, err := newCLI(t, "linux", printing(capture(t, "2025.0/list-connections.json"))).Connections(t.Context(), "render-3")
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Connection{{
		ID: 11, Username: "fneri", UserAgent: "example-viewer/2.3", ClientMode: "classic", Transport: "quic",
		ConnectionTime: at(t, "2026-02-14T11:02:44.70031Z"), FirstFrameTime: at(t, "2026-02-14T11:02:46.00012Z"),
	}}, got)
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

func TestOneSessionAndItsConnectionsAreReadAsStrictly(t *testing.T) {
	tests := map[string]string{
		"cut off":       `{"id":"a"`,
		"no id":         `{"owner":"alice"}`,
		"an odd id":     `{"id":[]}`,
		"prose":         "The weather is fine.",
		"nothing":       "",
		"another shape": `"a"`,
	}
	for name, out := range tests {
		t.Run(name, func(t *testing.T) {
			cli := newCLI(t, "linux", printing([]byte(out)))
			_, err := cli.Describe(t.Context(), "a")
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			_, err = cli.Connections(t.Context(), "a")
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
		})
	}
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
