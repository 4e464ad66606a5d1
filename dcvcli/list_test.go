package dcvcli_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

// documented is the session of the captures in doc-literal, which have exactly
// the keys and lines of the guide.
func documented(t *testing.T) dcvcli.Session {
	t.Helper()
	return dcvcli.Session{
		ID: "sim-77", Owner: "psala", Name: "Simulation 77", Type: dcvcli.Virtual, NumOfConnections: 1,
		CreationTime: at(t, "2026-05-18T13:20:00Z"), X11Display: ":9", X11Authority: "/run/user/4410/dcv/sim-77.xauth",
		Licenses: []dcvcli.License{
			{Product: "dcv", Status: "licensed", CheckTimestamp: at(t, "2026-05-18T14:00:00Z"), ExpirationDate: at(t, "2027-01-31T00:00:00Z")},
			{Product: "dcv-gl", Status: "licensed", CheckTimestamp: at(t, "2026-05-18T14:00:00Z"), ExpirationDate: at(t, "2027-01-31T00:00:00Z")},
		},
		DisplayLayout: []dcvcli.Display{{Width: 1680, Height: 1050}, {Width: 1280, Height: 720, X: 1680}},
	}
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
		"JSON for none":         {file: "2025.0/list-sessions-none.json", want: []dcvcli.Session{}},
		"JSON of 2025.0, a session that was used and a new one": {
			file: "2025.0/list-sessions.json",
			want: []dcvcli.Session{
				{
					ID: "render-12", Owner: "fneri", User: "fneri", Name: `Render "12"`, Type: dcvcli.Virtual, Status: "created",
					NumOfConnections: 2, CreationTime: at(t, "2026-06-01T05:58:03.771204Z"),
					LastDisconnectionTime: at(t, "2026-06-01T07:10:44.0009Z"), LicensingMode: "demo", StorageRoot: "%home%",
					X11Display: ":1", X11Authority: "/run/user/2077/dcv/render-12.xauth",
					Licenses: []dcvcli.License{
						{Product: "dcv", Status: "licensed", CheckTimestamp: at(t, "2026-06-01T07:58:03.120033Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
						{Product: "dcv-gl", Status: "licensed", CheckTimestamp: at(t, "2026-06-01T07:58:03.12004Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
					},
					DisplayLayout: []dcvcli.Display{{Width: 2560, Height: 1440}, {Width: 1920, Height: 1080, X: -1920}},
				},
				{
					ID: "render-13", Owner: "gverdi", User: "gverdi", Type: dcvcli.Virtual, Status: "created",
					CreationTime: at(t, "2026-06-01T06:00:00Z"), LicensingMode: "demo", X11Display: ":2", X11Authority: "/run/user/2078/dcv/render-13.xauth",
				},
			},
		},
		"the documented JSON": {file: "doc-literal/list-sessions.json", want: []dcvcli.Session{documented(t)}},
		"the documented text": {
			file: "doc-literal/list-sessions.txt",
			want: []dcvcli.Session{{ID: "sim-77", Owner: "psala", Type: dcvcli.Virtual, Name: "Simulation 77", ActivityUnknown: true}},
		},
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

func TestDescribeReadsWhatEveryReleasePrints(t *testing.T) {
	tests := map[string]struct {
		file string
		want dcvcli.Session
	}{
		"the documented JSON": {file: "doc-literal/describe-session.json", want: documented(t)},
		"the documented text": {
			file: "doc-literal/describe-session.txt",
			want: dcvcli.Session{
				ID: "sim-77", Owner: "psala", Name: "Simulation 77", ActivityUnknown: true,
				X11Display: ":9", X11Authority: "/run/user/4410/dcv/sim-77.xauth",
				DisplayLayout: []dcvcli.Display{{Width: 1680, Height: 1050}, {Width: 1280, Height: 720, X: 1680}},
			},
		},
		"JSON of 2020.1": {
			file: "2020.1/describe-session.json",
			want: dcvcli.Session{
				ID: "render-3", Owner: "fneri", Name: "Render seat 3", Type: dcvcli.Virtual, NumOfConnections: 2,
				CreationTime: at(t, "2026-02-14T06:12:00Z"), LastDisconnectionTime: at(t, "2026-02-14T10:44:31Z"),
				StorageRoot: "/srv/exchange/fneri", X11Display: ":4", X11Authority: "/run/user/2077/dcv/render-3.xauth",
				Licenses: []dcvcli.License{
					{Product: "dcv", Status: "licensed", CheckTimestamp: at(t, "2026-02-14T10:40:00Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
					{Product: "dcv-gl", Status: "licensed", CheckTimestamp: at(t, "2026-02-14T10:40:00Z"), ExpirationDate: at(t, "2026-12-31T00:00:00Z")},
				},
				DisplayLayout: []dcvcli.Display{{Width: 1440, Height: 900}},
			},
		},
		"JSON of 2019.1, words in upper case": {
			file: "2019.1/describe-session.json",
			want: dcvcli.Session{
				ID: "lab-8", Owner: "cmarino", Name: "Lab bench 8", Type: dcvcli.Virtual, NumOfConnections: 1,
				CreationTime: at(t, "2019-11-04T09:15:00Z"), LastDisconnectionTime: at(t, "2019-11-04T12:00:30Z"), LicensingMode: "demo",
				StorageRoot: "/srv/lab/cmarino", X11Display: ":2", X11Authority: "/run/user/3108/dcv/lab-8.xauth",
				Licenses: []dcvcli.License{
					{Product: "dcv", Status: "licensed", CheckTimestamp: at(t, "2019-11-04T12:00:00Z"), ExpirationDate: at(t, "2019-12-04T00:00:00Z")},
					{Product: "dcv-gl", Status: "licensed", CheckTimestamp: at(t, "2019-11-04T12:00:00Z"), ExpirationDate: at(t, "2019-12-04T00:00:00Z")},
				},
				DisplayLayout: []dcvcli.Display{{Width: 1280, Height: 1024}},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := newCLI(t, "linux", printing(capture(t, tt.file))).Describe(t.Context(), tt.want.ID)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestDescribeReadsTextFromAServerWithoutJSON(t *testing.T) {
	tests := map[string]struct {
		text string
		want dcvcli.Session
	}{
		"quoted, and words in capitals": {
			text: "Session: 'a'\r\n\tOwner: alice\r\n\tX Display: :3\r\n\tColour: blue\r\n",
			want: dcvcli.Session{ID: "a", Owner: "alice", X11Display: ":3", ActivityUnknown: true},
		},
		"a layout of another form": {
			text: "Session: a\n  display layout: wide\n  name:\n",
			want: dcvcli.Session{ID: "a", ActivityUnknown: true},
		},
		"a name with a colon": {
			text: "Session: a\n  name: Seat: 3\n",
			want: dcvcli.Session{ID: "a", Name: "Seat: 3", ActivityUnknown: true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
				switch {
				case slices.Contains(args, "--json"):
					return nil, &dcvcli.CommandError{Verb: args[0], ExitCode: 1, Stderr: "unknown option"}
				case args[0] == "list-sessions":
					return []byte("Session: 'a' (owner:alice type:console)\n"), nil
				}
				return []byte(tt.text), nil
			})
			got, err := cli.Describe(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)

			_, err = cli.Describe(t.Context(), "b")
			require.ErrorIs(t, err, dcvcli.ErrNotFound)
		})
	}
}

func TestConnectionsReadsWhatWasSeenInUse(t *testing.T) {
	got, err := newCLI(t, "linux", printing(capture(t, "2025.0/list-connections.json"))).Connections(t.Context(), "render-3")
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Connection{{
		ID: 11, Username: "fneri", UserAgent: "example-viewer/2.3", ClientMode: "classic", Transport: "quic",
		ConnectionTime: at(t, "2026-02-14T11:02:44.70031Z"), FirstFrameTime: at(t, "2026-02-14T11:02:46.00012Z"),
	}}, got)
}

func TestConnectionsReadsWordsInAnyCaseAndTimesThatAreMissing(t *testing.T) {
	got, err := newCLI(t, "linux", printing(capture(t, "2025.0/list-connections-two.json"))).Connections(t.Context(), "render-12")
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Connection{
		{
			ID: 12, Username: "fneri", UserAgent: "example-viewer/2.3", ClientMode: "classic", Transport: "quic",
			ConnectionTime: at(t, "2026-06-01T07:20:00Z"), FirstFrameTime: at(t, "2026-06-01T07:20:02Z"),
			LastInteractionTime: at(t, "2026-06-01T07:44:10.000001Z"),
		},
		{ID: 13, Username: "gverdi", ClientMode: "classic", Transport: "websocket", ConnectionTime: at(t, "2026-06-01T07:21:30.5Z")},
	}, got)

	got, err = newCLI(t, "linux", printing([]byte("[]"))).Connections(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, []dcvcli.Connection{}, got)
}
