package session_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func qualityOf(value string) []dcvix.Setting {
	return []dcvix.Setting{{Section: "display", Key: "quality", Value: value}}
}

func TestUsersSetWhatIsListedOnHostsThatTheyMayUse(t *testing.T) {
	fps := dcvix.Setting{Section: "display", Key: "target-fps", Value: "30"}
	tests := map[string]struct {
		user, server string
		settings     []dcvix.Setting
		want         []dcvix.Setting
		err          error
	}{
		"the quality":            {"alice", "ws1", qualityOf("(30, 80)"), qualityOf("(30, 80)"), nil},
		"in another spelling":    {"alice", "WS1.", qualityOf(" ( 0,100 ) "), qualityOf("(0, 100)"), nil},
		"what is listed besides": {"alice", "ws1", append(qualityOf("(5, 5)"), fps), append(qualityOf("(5, 5)"), fps), nil},
		"in the wrong order":     {"alice", "ws1", qualityOf("(80, 30)"), nil, session.ErrForbidden},
		"over 100":               {"alice", "ws1", qualityOf("(30, 101)"), nil, session.ErrForbidden},
		"below 0":                {"alice", "ws1", qualityOf("(-1, 80)"), nil, session.ErrForbidden},
		"three numbers":          {"alice", "ws1", qualityOf("(1, 2, 3)"), nil, session.ErrForbidden},
		"an option":              {"alice", "ws1", qualityOf("--section"), nil, session.ErrForbidden},
		"another key":            {"alice", "ws1", []dcvix.Setting{{Section: "security", Key: "auth-token-verifier", Value: "'https://evil'"}}, nil, session.ErrForbidden},
		"another key behind":     {"alice", "ws1", append(qualityOf("(1, 2)"), dcvix.Setting{Section: "security", Key: "authentication", Value: "'none'"}), nil, session.ErrForbidden},
		"the slash elsewhere":    {"alice", "ws1", []dcvix.Setting{{Section: "session-management", Key: "defaults/permissions-file", Value: "''"}}, nil, session.ErrForbidden},
		"a line break":           {"alice", "ws1", []dcvix.Setting{{Section: "display", Key: "target-fps", Value: "3\n0"}}, nil, session.ErrForbidden},
		"an empty value":         {"alice", "ws1", []dcvix.Setting{{Section: "display", Key: "target-fps"}}, nil, session.ErrForbidden},
		"a long value":           {"alice", "ws1", []dcvix.Setting{{Section: "display", Key: "target-fps", Value: strings.Repeat("9", 1025)}}, nil, session.ErrForbidden},
		"nothing":                {"alice", "ws1", nil, nil, session.ErrInvalid},
		"too many":               {"alice", "ws1", make([]dcvix.Setting, 17), nil, session.ErrInvalid},
		"a host of others":       {"mallory", "ws1", qualityOf("(30, 80)"), nil, session.ErrForbidden},
		"no such host":           {"alice", "ws9", qualityOf("(30, 80)"), nil, session.ErrForbidden},
		"no such host of any":    {"bob", "ws9", qualityOf("(30, 80)"), nil, session.ErrNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t, func(c *session.Config) {
				for _, s := range []string{"display/target-fps", "session-management/defaults/permissions-file"} {
					name, err := session.ParseSettingName(s)
					require.NoError(t, err)
					c.UserSettings = append(c.UserSettings, name)
				}
			})
			a := d.join(t, "ws1")
			pushed, err := d.SetConfig(t.Context(), as(dcvix.Username(tt.user)), tt.server, tt.settings)
			if tt.err != nil {
				require.ErrorIs(t, err, tt.err)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, tt.err == nil, pushed)
			assert.Equal(t, tt.want, d.agents.Settings(a.ID))
		})
	}
}

func TestSettingsWaitUntilNobodyElseUsesTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := sessiontest.Join(t, d.Broker, "ws1")
		d.agents.SetSessions(a.ID, desktop("hers"), dcvix.Session{ID: "his", Owner: "bob", Type: dcvix.SessionVirtual})
		d.agents.Behave(a.ID, sessiontest.Behaviour{Delay: time.Second})
		pushed, err := d.SetConfig(t.Context(), as("alice"), "ws1", qualityOf("(30, 80)"))
		require.NoError(t, err, "a cold director asks first")
		assert.False(t, pushed)
		assert.Zero(t, d.agents.Calls(a.ID).SetConfig)

		d.agents.SetSessions(a.ID, desktop("hers"))
		d.report(t, a)
		pushed, err = d.SetConfig(t.Context(), as("alice"), "ws1", qualityOf("(30, 80)"))
		require.NoError(t, err)
		assert.True(t, pushed)
		assert.Equal(t, qualityOf("(30, 80)"), d.agents.Settings(a.ID))
	})
}

func TestAnAgentThatFailsToSetIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		a := d.join(t, "ws1")
		d.agents.Behave(a.ID, sessiontest.Behaviour{Err: errors.New("no such key")})
		_, err := d.SetConfig(t.Context(), as("alice"), "ws1", qualityOf("(30, 80)"))
		require.ErrorIs(t, err, session.ErrAgentFailed)
		d.agents.Behave(a.ID, sessiontest.Behaviour{Hang: true})
		begun := time.Now()
		_, err = d.SetConfig(t.Context(), as("alice"), "ws1", qualityOf("(30, 80)"))
		require.ErrorIs(t, err, session.ErrAgentTimeout)
		assert.Equal(t, 30*time.Second, time.Since(begun))
	})
}

func TestNamesOfSettings(t *testing.T) {
	for _, bad := range []string{"", "/", "quality", "display/", "/quality", "Display/quality", "display//quality", "display/qua lity", "-x/y", "x/-y", "a/b\n", strings.Repeat("a", 200) + "/b"} {
		_, err := session.ParseSettingName(bad)
		require.ErrorContains(t, err, "names no setting: write section/key", "%q", bad)
	}
	name, err := session.ParseSettingName("session-management/defaults/permissions-file")
	require.NoError(t, err)
	assert.Equal(t, session.SettingName{Section: "session-management/defaults", Key: "permissions-file"}, name)
	assert.Equal(t, "session-management/defaults/permissions-file", name.String())
}

// FuzzPair holds the reader of pairs against a pattern.
func FuzzPair(f *testing.F) {
	for _, seed := range []string{"(30, 80)", "(0,0)", " ( 1 , 2 ) ", "(01, 2)", "(1, 2,)", "(1)", "()", "", "(+1, 2)", "(1, 99999999999999999999)", "((1, 2))", "(1,\t2)", "(1, 2)\n"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^ *\( *(0|[1-9][0-9]{0,17}) *, *(0|[1-9][0-9]{0,17}) *\) *$`)
	long := regexp.MustCompile(`[0-9]{18}`)
	f.Fuzz(func(t *testing.T, s string) {
		a, b, ok := session.ParsePair(s)
		if long.MatchString(s) {
			return // what overflows is refused, the pattern does not know where
		}
		require.Equal(t, form.MatchString(s), ok)
		require.True(t, !ok || a >= 0 && b >= 0)
	})
}
