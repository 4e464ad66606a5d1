package privacyidea_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
)

func TestACodeAnswersAChallengeOnce(t *testing.T) {
	for name, cfg := range map[string]privacyideatest.Config{"a new server": {}, "an old server": {Old: true}} {
		t.Run(name, func(t *testing.T) {
			s := privacyideatest.NewServer(t, cfg)
			k := s.AddToken("alice", pin, privacyideatest.HOTP).Asks("Code of your\ntoken:")
			v := open(t, s)

			challenge := challenged(t, v, alice(""))
			assert.Equal(t, "Code of your token:", challenge.Prompt)
			c := alice(k.Code())
			c.Challenge = challenge.State
			require.NoError(t, v.Verify(t.Context(), c))

			last := s.Checks()[1]
			assert.Equal(t, string(c.OTP), last.Get("pass"), "the code alone")
			assert.NotEmpty(t, last.Get("transaction_id"))
			c.OTP = auth.Secret(k.Code())
			assert.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials, "the transaction is over")
		})
	}
}

func TestAWrongAnswerToAChallengeIsRefusedAndNotAskedAgain(t *testing.T) {
	for name, cfg := range map[string]privacyideatest.Config{"a new server": {}, "an old server": {Old: true}} {
		t.Run(name, func(t *testing.T) {
			s := privacyideatest.NewServer(t, cfg)
			s.AddToken("alice", pin, privacyideatest.HOTP).Asks("Code?")
			v := open(t, s)
			c := alice("999999")
			c.Challenge = challenged(t, v, alice("")).State

			assert.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials)
			c.OTP = ""
			assert.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials, "no code")
			assert.Len(t, s.Checks(), 2, "nothing is sent twice, and no empty answer")
		})
	}
}

func TestAChallengeOfAnotherUserIsWorthNothing(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	mallory := s.AddToken("mallory", pin, privacyideatest.HOTP).Asks("Code?")
	s.AddToken("alice", pin, privacyideatest.HOTP)
	v := open(t, s)
	c := auth.Credentials{User: "mallory", Password: pin}
	c.Challenge = challenged(t, v, c).State
	c.User, c.OTP = "alice", auth.Secret(mallory.Code())

	assert.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials)
}

func TestAPushMessageIsWaitedFor(t *testing.T) {
	tests := map[string]struct {
		server privacyideatest.Config
		decide func(*privacyideatest.Token) int
		want   error
		checks int
		says   string
	}{
		"approved":                  {decide: (*privacyideatest.Token).Approve, checks: 2},
		"approved at an old server": {server: privacyideatest.Config{Old: true}, decide: (*privacyideatest.Token).Approve, checks: 2},
		"declined":                  {decide: (*privacyideatest.Token).Decline, want: auth.ErrInvalidCredentials, checks: 1, says: "was declined"},
		"not answered":              {decide: func(*privacyideatest.Token) int { return 1 }, want: auth.ErrInvalidCredentials, checks: 1, says: "was not answered in time"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := privacyideatest.NewServer(t, tt.server)
			k := s.AddToken("alice", pin, privacyideatest.Push)
			var log bytes.Buffer
			v := open(t, s, func(c *privacyidea.Config) {
				c.PushWait, c.Logger = 4*time.Second, slog.New(slog.NewTextHandler(&log, nil))
			})
			verified := make(chan error, 1)
			go func() { verified <- v.Verify(t.Context(), alice("")) }()
			require.Eventually(t, func() bool { return s.Polls() > 0 }, 20*time.Second, 5*time.Millisecond, "it asks while nobody has answered")
			require.Equal(t, 1, tt.decide(k))

			assert.ErrorIs(t, <-verified, tt.want)
			require.Len(t, s.Checks(), tt.checks)
			assert.Contains(t, log.String(), tt.says)
			if tt.want == nil {
				assert.Empty(t, s.Checks()[1].Get("pass"))
				assert.NotEmpty(t, s.Checks()[1].Get("transaction_id"), "the last word is that of a check")
			}
		})
	}
}

func TestTheLastWordOfAPushIsThatOfTheCheck(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	v := open(t, s)
	s.Instead(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			_, _ = w.Write([]byte(`{"result":{"status":true,"value":true}}`))
		case r.PostFormValue("transaction_id") == "":
			_, _ = w.Write([]byte(`{"result":{"status":true,"value":false},"detail":{"transaction_id":"1","client_mode":"poll"}}`))
		default:
			_, _ = w.Write([]byte(`{"result":{"status":true,"value":false}}`))
		}
	})

	assert.ErrorIs(t, v.Verify(t.Context(), alice("")), auth.ErrInvalidCredentials)
}

func TestWithACodeAndAPushTokenThePersonChooses(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	code := s.AddToken("alice", pin, privacyideatest.HOTP).Asks("Code?")
	push := s.AddToken("alice", pin, privacyideatest.Push)
	v := open(t, s)
	first, second := challenged(t, v, alice("")), challenged(t, v, alice(""))
	assert.Equal(t, "Code?", first.Prompt)

	c := alice(code.Code())
	c.Challenge = first.State
	require.NoError(t, v.Verify(t.Context(), c), "the code")
	require.Equal(t, 2, push.Approve())
	c.OTP, c.Challenge = "", second.State
	assert.NoError(t, v.Verify(t.Context(), c), "the phone")
}

func TestASecurityKeyIsSaidToBeOfNoUse(t *testing.T) {
	for name, old := range map[string]bool{"a new server": false, "an old server": true} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := privacyideatest.NewServer(t, privacyideatest.Config{Old: old})
			s.AddToken("alice", pin, privacyideatest.WebAuthn)
			v := open(t, s, func(c *privacyidea.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })

			challenge := challenged(t, v, alice(""))

			assert.Contains(t, challenge.Prompt, "security key cannot be used")
			assert.Contains(t, log.String(), "give the user a token with codes or push messages")
			c := alice("123456")
			c.Challenge = challenge.State
			require.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials)
			assert.Len(t, s.Checks(), 1, "no code is tried on it")
		})
	}
}

func TestAnAnswerIsNotTakenForAQuestionBecauseItNamesTheTransaction(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	s.AddToken("alice", pin, privacyideatest.HOTP).Asks("Code?")
	v := open(t, s)
	c := alice("999999")
	c.Challenge = challenged(t, v, alice("")).State
	s.Instead(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"result":{"status":true,"value":false},"detail":{"transaction_id":"0815","message":"wrong"}}`))
	})
	assert.ErrorIs(t, v.Verify(t.Context(), c), auth.ErrInvalidCredentials, "a wrong code, or guesses would not count as such")
	s.Instead(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"result":{"status":true,"value":false,"authentication":"CHALLENGE"},"detail":{"transaction_id":"0816","message":"Next code?"}}`))
	})
	assert.Equal(t, "Next code?", challenged(t, v, c).Prompt, "but a server may ask for more")
}

func TestTheEndOfTheCallerEndsAPush(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	s.AddToken("alice", pin, privacyideatest.Push)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()

	require.ErrorIs(t, open(t, s).Verify(ctx, alice("")), auth.ErrUnavailable)

	assert.Less(t, time.Since(begin), 20*time.Second, "and not after the 45 s that a person has")
}
