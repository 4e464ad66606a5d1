package dcvcli_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func FuzzList(f *testing.F) {
	for _, name := range []string{
		"2023.1/list-sessions.json", "2023.1/list-sessions.txt", "2023.1/list-sessions-none.txt", "2020.1/list-sessions.txt",
	} {
		f.Add(capture(f, name))
	}
	f.Add([]byte(`[null]`))
	f.Add([]byte("Session: ''' (owner: type:console name:'"))
	f.Fuzz(func(t *testing.T, out []byte) {
		sessions, err := newCLI(t, "linux", printing(out)).List(t.Context())
		if err != nil {
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			return
		}
		require.NotNil(t, sessions)
		for _, s := range sessions {
			assert.NotEmpty(t, s.ID)
			assert.GreaterOrEqual(t, s.NumOfConnections, 0)
		}
	})
}

func FuzzDescribe(f *testing.F) {
	f.Add(capture(f, "2020.1/describe-session.json"))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, out []byte) {
		s, err := newCLI(t, "linux", printing(out)).Describe(t.Context(), "a")
		if err == nil {
			assert.NotEmpty(t, s.ID)
		}
	})
}

func FuzzConnections(f *testing.F) {
	f.Add(capture(f, "2025.0/list-connections.json"))
	f.Fuzz(func(t *testing.T, out []byte) {
		connections, err := newCLI(t, "linux", printing(out)).Connections(t.Context(), "a")
		if err == nil {
			assert.NotNil(t, connections)
		}
	})
}

func FuzzVersion(f *testing.F) {
	f.Add(capture(f, "2025.0/version.txt"))
	f.Fuzz(func(t *testing.T, out []byte) {
		version, err := newCLI(t, "linux", printing(out)).Version(t.Context())
		if err == nil {
			assert.LessOrEqual(t, len(version), 200)
			assert.False(t, strings.ContainsAny(version, "\x00\n\r\x1b"))
		}
	})
}
