package dcvcli_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func TestAnOddFieldFailsNoList(t *testing.T) {
	unknown := dcvcli.Session{ID: "a", ActivityUnknown: true}
	known := dcvcli.Session{ID: "a", NumOfConnections: 1}
	tests := map[string]struct {
		field string
		want  dcvcli.Session
	}{
		"a count below 0":                {field: `"num-of-connections":-1`, want: unknown},
		"a count of all people":          {field: `"num-of-connections":8300000000`, want: unknown},
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
			sessions, err := newCLI(t, "linux", printing([]byte(out))).List(t.Context())
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			assert.Nil(t, sessions)
			var partial *dcvcli.PartialListError
			assert.NotErrorAs(t, err, &partial)
		})
	}
}

func TestOneBrokenEntryDoesNotHideTheOthers(t *testing.T) {
	tests := map[string]string{
		"JSON, no id":         `[{"id":"a","num-of-connections":0},{"owner":"bob"},{"id":"b","num-of-connections":0}]`,
		"JSON, an odd id":     `[{"id":7},{"id":"a","num-of-connections":0},{"id":"b","num-of-connections":0}]`,
		"JSON, no object":     `[{"id":"a","num-of-connections":0},{"id":"b","num-of-connections":0},"c"]`,
		"JSON, null":          `[{"id":"a","num-of-connections":0},null,{"id":"b","num-of-connections":0}]`,
		"text, a line of law": "Session: 'a' (owner: type:console)\nAll rights reserved.\nSession: b (owner: type:console)\n",
		"text, cut off":       "Session: 'a' (owner: type:console)\nSession: b (owner: type:console)\nSession: 'c' (own",
	}
	for name, out := range tests {
		t.Run(name, func(t *testing.T) {
			sessions, err := newCLI(t, "linux", printing([]byte(out))).List(t.Context())
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			var partial *dcvcli.PartialListError
			require.ErrorAs(t, err, &partial)
			assert.Equal(t, 1, partial.Unread)
			require.Len(t, sessions, 2)
			assert.Equal(t, []string{"a", "b"}, []string{sessions[0].ID, sessions[1].ID})
		})
	}

	connections, err := newCLI(t, "linux", printing([]byte(`[{"id":-1},{"id":3,"username":7},{}]`))).Connections(t.Context(), "a")
	var partial *dcvcli.PartialListError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, 2, partial.Unread)
	assert.Equal(t, []dcvcli.Connection{{ID: 3}}, connections)
}

func TestAPartialListShowsWhatIsThereNotWhatIsGone(t *testing.T) {
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if args[0] == "list-sessions" {
			return []byte(`[{"id":"a","num-of-connections":0},{"owner":"bob"}]`), nil
		}
		return nil, errExit
	})
	_, err := cli.Connections(t.Context(), "b")
	require.NotErrorIs(t, err, dcvcli.ErrNotFound)
	require.ErrorIs(t, err, errExit)
}

func TestOneSessionAndItsConnectionsAreReadAsStrictly(t *testing.T) {
	tests := map[string]string{
		"cut off":       `{"id":"a"`,
		"no id":         `{"owner":"alice"}`,
		"an odd id":     `{"id":[]}`,
		"prose":         "The weather is fine.",
		"nothing":       "",
		"another shape": `"a"`,
		"null":          "null",
		"two sessions":  "Session: a\nSession: b\n",
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
