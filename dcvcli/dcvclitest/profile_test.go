package dcvclitest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

func TestDocLiteralPrintsTheDocumentedKeysAlone(t *testing.T) {
	now := time.Date(2026, 2, 11, 7, 30, 0, 123456789, time.UTC)
	dcv := newDCV(t, dcvclitest.Config{Profile: dcvclitest.DocLiteral, Now: func() time.Time { return now }})
	run := func(args ...string) string {
		out, err := dcv.Run(t.Context(), args...)
		require.NoError(t, err)
		return string(out)
	}
	run("create-session", "--owner=lbianchi", "--name=CAD seat 42", "--storage-root=/srv/transfer/lbianchi", "cad-0042")
	assert.Equal(t, `{
  "id" : "cad-0042",
  "owner" : "lbianchi",
  "name" : "CAD seat 42",
  "num-of-connections" : 0,
  "creation-time" : "2026-02-11T07:30:00Z",
  "last-disconnection-time" : "",
  "licenses" : [
    {
      "product" : "dcv",
      "status" : "licensed",
      "check-timestamp" : "2026-02-11T07:30:00Z",
      "expiration-date" : "2026-03-13T00:00:00Z"
    },
    {
      "product" : "dcv-gl",
      "status" : "licensed",
      "check-timestamp" : "2026-02-11T07:30:00Z",
      "expiration-date" : "2026-03-13T00:00:00Z"
    }
  ],
  "storage-root" : "/srv/transfer/lbianchi",
  "type" : "virtual",
  "x11-display" : ":1",
  "x11-authority" : "/run/user/1000/dcv/cad-0042.xauth",
  "display-layout" : [
    {
      "width" : 1024,
      "height" : 768,
      "x" : 0,
      "y" : 0
    }
  ]
}
`, run("describe-session", "cad-0042", "--json"))
	run("create-session", "--owner=lbianchi", "other")
	assert.Equal(t, "Session: cad-0042 (owner:lbianchi type:virtual name:'CAD seat 42')\n"+
		"Session: other (owner:lbianchi type:virtual name:'')\n", run("list-sessions"))
}

// TestTheClientReadsEveryProfile has the real client make and list a console, in
// JSON and in text.
func TestTheClientReadsEveryProfile(t *testing.T) {
	for _, profile := range dcvclitest.AllProfiles() {
		for form, faults := range map[string]dcvclitest.Faults{"JSON": {}, "text": {NoJSON: true}} {
			t.Run(string(profile)+" in "+form, func(t *testing.T) {
				dcv := newDCV(t, dcvclitest.Config{Profile: profile})
				set(t, dcv, faults)
				cli := newCLI(t, dcv, profile.Platform())
				require.NoError(t, cli.Create(t.Context(), dcvcli.CreateOptions{ID: "c", Owner: "alice", Name: "a (b)"}))
				sessions, err := cli.List(t.Context())
				require.NoError(t, err)
				require.Len(t, sessions, 1)
				assert.Equal(t, []string{"c", "alice", dcvcli.Console, "a (b)"},
					[]string{sessions[0].ID, sessions[0].Owner, sessions[0].Type, sessions[0].Name})
			})
		}
	}
}

func TestAHostMayHaveAnAutomaticConsole(t *testing.T) {
	settings := map[string]string{
		"session-management/create-session":                                   "true",
		"session-management/automatic-console-session/owner":                  `'LAB\\alice'`,
		"session-management/automatic-console-session/storage-root":           `"%home%"`,
		"session-management/automatic-console-session/max-concurrent-clients": "3",
	}
	for _, profile := range dcvclitest.AllProfiles() {
		dcv := newDCV(t, dcvclitest.Config{Profile: profile, Settings: settings})
		state, err := dcv.State()
		require.NoError(t, err)
		require.Len(t, state.Sessions, 1)
		session := state.Sessions[0]
		assert.Equal(t, []string{"console", "console", `LAB\alice`, "%home%"}, []string{session.ID, session.Type, session.Owner, session.StorageRoot})
		assert.Equal(t, 3, session.MaxConcurrentClients)
	}
	dcv := newDCV(t, dcvclitest.Config{Profile: dcvclitest.Windows2025, Settings: map[string]string{"session-management/create-session": "true"}})
	state, err := dcv.State()
	require.NoError(t, err)
	assert.Equal(t, "Administrator", state.Sessions[0].Owner)
}

func TestARestartLosesVirtualSessions(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{})
	_, err := dcv.Run(t.Context(), "create-session", "a")
	require.NoError(t, err)
	_, err = dcv.Run(t.Context(), "set-config", "--section=session-management", "--key=create-session", "true")
	require.NoError(t, err)
	for range 2 { // the console of the first restart stays in the second
		require.NoError(t, dcv.Restart())
		state, err := dcv.State()
		require.NoError(t, err)
		require.Len(t, state.Sessions, 1)
		assert.Equal(t, "console", state.Sessions[0].ID)
	}
}
