package dcvclitest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// TestWhoMayDoWhat lets an account run one command after root ran others.
func TestWhoMayDoWhat(t *testing.T) {
	admins := map[string]string{"security/administrators": `["broker", 'other']`}
	mine := []string{"bob: create-session b", "create-session --user=eve --owner=eve e"}
	tests := map[string]struct {
		profile  dcvclitest.Profile
		settings map[string]string
		before   []string // "ACCOUNT: COMMAND", or by root
		caller   string
		args     string
		refused  bool
		want     string // in the answer
	}{
		"root sees all":                      {before: mine, args: "list-sessions", want: "'e'"},
		"the service sees all":               {before: mine, caller: "dcv", args: "list-sessions", want: "'e'"},
		"an administrator sees all":          {settings: admins, before: mine, caller: "broker", args: "list-sessions", want: "'e'"},
		"somebody sees what she created":     {before: mine, caller: "bob", args: "list-sessions", want: "Session: 'b' (owner:bob type:virtual)\n"},
		"an owner is not the creator":        {before: mine, caller: "eve", args: "list-sessions", want: "no sessions"},
		"somebody describes her own":         {before: mine, caller: "bob", args: "describe-session b", want: "owner: bob"},
		"somebody describes another's":       {before: mine, caller: "bob", args: "describe-session e", refused: true},
		"somebody closes another's":          {before: mine, caller: "bob", args: "close-session e", refused: true},
		"somebody renames another's":         {before: mine, caller: "bob", args: "set-name --session=e --name=x", refused: true},
		"somebody closes her own":            {before: mine, caller: "bob", args: "close-session b"},
		"root closes another's":              {before: mine, args: "close-session b"},
		"somebody acts for another":          {caller: "bob", args: "create-session --user=eve b", refused: true},
		"an administrator acts for another":  {settings: admins, caller: "broker", args: "create-session --user=eve b", refused: true},
		"somebody creates a console":         {caller: "bob", args: "create-session --type=console b", refused: true},
		"an administrator creates a console": {settings: admins, caller: "other", args: "create-session --type=console b"},
		"somebody closes a console":          {before: []string{"create-session --type=console c"}, caller: "bob", args: "close-session c", refused: true},
		"one who is no administrator any more closes her console": {
			settings: admins, before: []string{"broker: create-session --type=console c", "set-config --section=security --key=administrators []"},
			caller: "broker", args: "close-session c", refused: true,
		},
		"one who is no administrator any more sees her console": {
			settings: admins, before: []string{"broker: create-session --type=console c", "set-config --section=security --key=administrators []"},
			caller: "broker", args: "list-sessions", want: "'c'",
		},
		"somebody changes a setting":       {caller: "bob", args: "set-config --section=log --key=level 'debug'", refused: true},
		"somebody asks for the version":    {caller: "bob", args: "version", want: "DCV"},
		"Administrator has a domain":       {profile: dcvclitest.Windows2025, caller: `LAB\administrator`, args: "create-session c"},
		"somebody on Windows":              {profile: dcvclitest.Windows2025, caller: "bob", args: "create-session c", refused: true},
		"an account called dcv on Windows": {profile: dcvclitest.Windows2025, caller: "dcv", args: "create-session c", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dcv := newDCV(t, dcvclitest.Config{Profile: tt.profile, Settings: tt.settings})
			for _, command := range tt.before {
				account, args, other := strings.Cut(command, ": ")
				if !other {
					account, args = "", command
				}
				_, err := dcv.As(account).Run(t.Context(), strings.Fields(args)...)
				require.NoError(t, err)
			}
			out, err := dcv.As(tt.caller).Run(t.Context(), strings.Fields(tt.args)...)
			if tt.refused {
				var failure *dcvcli.CommandError
				require.ErrorAs(t, err, &failure)
				return
			}
			require.NoError(t, err)
			assert.Contains(t, string(out), tt.want)
			if strings.HasPrefix(tt.want, "Session: ") {
				assert.Equal(t, tt.want, string(out))
			}
		})
	}
}

func TestTheCallerOwnsWhatHasNoOwner(t *testing.T) {
	dcv := newDCV(t, dcvclitest.Config{Caller: "bob"})
	_, err := dcv.Run(t.Context(), "create-session", "b")
	require.NoError(t, err)
	state, err := dcv.State()
	require.NoError(t, err)
	session := state.Sessions[0]
	assert.Equal(t, []string{"bob", "bob", "bob"}, []string{session.Creator, session.Owner, session.User})
}

func TestAHostTakesNoMoreSessionsThanItMay(t *testing.T) {
	tests := map[string]struct {
		settings map[string]string
		licences int
		faults   dcvclitest.Faults
		before   []string
		args     string
		refused  bool
	}{
		"below max-concurrent-sessions": {
			settings: map[string]string{"session-management/max-concurrent-sessions": "2"},
			before:   []string{"create-session a"}, args: "create-session b",
		},
		"at max-concurrent-sessions": {
			settings: map[string]string{"session-management/max-concurrent-sessions": "1"},
			before:   []string{"create-session a"}, args: "create-session b", refused: true,
		},
		"a console whatever the limits": {
			settings: map[string]string{"session-management/max-concurrent-sessions": "1", "session-management/max-sessions-per-user": "1"},
			args:     "create-session --type=console --owner=alice b",
		},
		"another user's, at max-sessions-per-user": {
			settings: map[string]string{"session-management/max-sessions-per-user": "1"},
			before:   []string{"create-session --owner=alice a"}, args: "create-session --owner=bob b",
		},
		"one's own, at max-sessions-per-user": {
			settings: map[string]string{"session-management/max-sessions-per-user": "1"},
			before:   []string{"create-session --owner=alice a"}, args: "create-session --owner=alice b", refused: true,
		},
		"the last licence": {licences: 2, before: []string{"create-session a"}, args: "create-session b"},
		"no licence":       {licences: 1, before: []string{"create-session a"}, args: "create-session b", refused: true},
		"a limit of another type": {
			settings: map[string]string{"session-management/max-concurrent-sessions": "'1'"},
			before:   []string{"create-session a"}, args: "create-session b",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dcv := newDCV(t, dcvclitest.Config{Settings: tt.settings})
			require.NoError(t, dcv.Update(func(s *dcvclitest.State) error {
				s.Licences = tt.licences
				return nil
			}))
			for _, command := range tt.before {
				_, err := dcv.Run(t.Context(), strings.Fields(command)...)
				require.NoError(t, err)
			}
			_, err := dcv.Run(t.Context(), strings.Fields(tt.args)...)
			assert.Equal(t, tt.refused, err != nil, err)
		})
	}
}
