package radius_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

// firstStep logs in at a server that challenges and returns the challenge.
func firstStep(t *testing.T, b *radius.Backend, c auth.Credentials) *auth.Challenge {
	t.Helper()
	_, err := b.Authenticate(t.Context(), c)
	var asked *auth.Challenge
	require.ErrorAs(t, err, &asked)
	return asked
}

// wantsCode challenges a password and accepts the code 123456 with its State. It
// notes what it is asked, for whoever got the answer through a [network].
func wantsCode(asked *[][2]string) script {
	return func(request []byte) [][]byte {
		*asked = append(*asked, [2]string{passwordOf(request), valueOf(request, state)})
		r := reply{code: reject}
		switch {
		case valueOf(request, state) == "" && passwordOf(request) == "wonder":
			r = reply{code: challenge, attributes: []attribute{{state, "\x00state\xff"}, {replyMessage, "Code:"}}}
		case valueOf(request, state) == "\x00state\xff" && passwordOf(request) == "123456":
			r = reply{code: accept}
		}
		return [][]byte{r.to(request)}
	}
}

func TestTheAnswerToAChallengeGoesToTheServerThatAsked(t *testing.T) {
	var first, second [][2]string
	n := network{"a:1812": wantsCode(&first), "b:1812": wantsCode(&second)}
	asked := firstStep(t, open(t, radius.Config{Servers: []string{"b"}, Dial: n.dial}), alice)
	assert.Equal(t, "Code:", asked.Prompt)
	c := alice
	c.Challenge, c.OTP = asked.State, "123456"

	_, err := open(t, radius.Config{Servers: []string{"a", "b"}, Dial: n.dial}).Authenticate(t.Context(), c)

	require.NoError(t, err)
	assert.Empty(t, first, "the other server knows nothing of it")
	assert.Equal(t, [][2]string{{"wonder", ""}, {"123456", "\x00state\xff"}}, second)
}

func TestWhoTypedBothIsNotAskedAgain(t *testing.T) {
	var asked [][2]string
	b := open(t, radius.Config{Servers: []string{"a"}, Dial: network{"a:1812": wantsCode(&asked)}.dial})
	c := alice
	c.OTP = "123456"

	_, err := b.Authenticate(t.Context(), c)

	require.NoError(t, err)
	assert.Equal(t, [][2]string{{"wonder", ""}, {"123456", "\x00state\xff"}}, asked, "the code is not sent with the password")
}

func TestAnswersToChallengesThatWereNotAsked(t *testing.T) {
	var asked [][2]string
	const address = "a:1812"
	b := open(t, radius.Config{Servers: []string{"a"}, Dial: network{address: wantsCode(&asked)}.dial})
	mine := firstStep(t, b, alice).State
	asked = nil
	forge := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for name, c := range map[string]auth.Credentials{
		"another user's":             {User: "bob", OTP: "123456", Challenge: mine},
		"the same user, other case":  {User: "Alice", OTP: "123456", Challenge: mine},
		"without a code":             {User: "alice", Challenge: mine},
		"of a server that is gone":   {User: "alice", OTP: "123456", Challenge: forge(`{"user":"alice","server":"10.1.1.1:1812","steps":1}`)},
		"of no step":                 {User: "alice", OTP: "123456", Challenge: forge(`{"user":"alice","server":"` + address + `"}`)},
		"of too many steps":          {User: "alice", OTP: "123456", Challenge: forge(`{"user":"alice","server":"` + address + `","steps":9}`)},
		"of a State that is too big": {User: "alice", OTP: "123456", Challenge: forge(`{"user":"alice","server":"` + address + `","steps":1,"state":"` + strings.Repeat("AAAA", 85) + `"}`)},
		"noise":                      {User: "alice", OTP: "123456", Challenge: "noise"},
		"too long":                   {User: "alice", OTP: "123456", Challenge: strings.Repeat("A", 1<<20)},
		"padded beyond the bound":    {User: "alice", OTP: "123456", Challenge: forge(`{"user":"alice","server":"` + address + `","steps":1}` + strings.Repeat(" ", 4<<10))},
		"no JSON":                    {User: "alice", OTP: "123456", Challenge: forge("null")},
	} {
		t.Run(name, func(t *testing.T) {
			c.Password = "wonder"
			_, err := b.Authenticate(t.Context(), c)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Empty(t, asked, "no server is asked")
		})
	}
}

func TestEndlessChallengesEnd(t *testing.T) {
	var asked int
	log := &logged{}
	n := network{"a:1812": func(request []byte) [][]byte {
		asked++
		return always(reply{code: challenge, attributes: []attribute{{state, "again"}}})(request)
	}}
	b := open(t, radius.Config{Logger: log.logger(), Servers: []string{"a"}, Dial: n.dial})
	c := alice
	c.OTP = "123456"
	steps := 0
	for {
		_, err := b.Authenticate(t.Context(), c)
		if challenged, ok := err.(*auth.Challenge); ok { //nolint:errorlint // it comes bare
			c.Challenge = challenged.State
			steps++
			require.Less(t, steps, 20)
			continue
		}
		require.ErrorIs(t, err, auth.ErrUnavailable)
		break
	}
	assert.Equal(t, 7, steps, "the first one was answered at once")
	assert.Equal(t, 9, asked)
	assert.Contains(t, log.String(), "challenged the same login 8 times")
}

func TestAChallengeWithoutStateIsAnsweredWithoutOne(t *testing.T) {
	b := open(t, radius.Config{Servers: []string{serve(t, func(request []byte) [][]byte {
		if passwordOf(request) == "123456" {
			return always(reply{code: accept})(request)
		}
		return always(reply{code: challenge})(request)
	})}})
	c := alice
	c.Challenge, c.OTP = firstStep(t, b, alice).State, "123456"
	_, err := b.Authenticate(t.Context(), c)
	require.NoError(t, err)
}

func TestAChallengeWithTwoStatesIsNotPassedOn(t *testing.T) {
	log := &logged{}
	b := open(t, radius.Config{Logger: log.logger(), Servers: []string{
		serve(t, always(reply{code: challenge, attributes: []attribute{{state, "a"}, {state, "b"}}})),
	}})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.Contains(t, log.String(), "several State attributes")
}

func TestPromptsAreOneCleanLine(t *testing.T) {
	line := strings.Repeat("é", 120) // 240 bytes
	tests := map[string]struct {
		messages []string
		want     string
	}{
		"as it is":              {[]string{"Enter the code from your token"}, "Enter the code from your token"},
		"none":                  {nil, "One-time password"},
		"an empty one":          {[]string{" \n"}, "One-time password"},
		"two":                   {[]string{"first", "second"}, "first second"},
		"lines":                 {[]string{"a\r\nb\tc"}, "a b c"},
		"terminal sequences":    {[]string{"\x1b[2Jcode\x07\x00\u009b1m"}, "[2Jcode 1m"},
		"a turned direction":    {[]string{"code \u202egnorw\u2066"}, "code gnorw"},
		"no UTF-8":              {[]string{"caf\xe9?"}, "caf\ufffd?"},
		"cut at a whole letter": {[]string{line, line, line}, line + " " + line + " " + strings.Repeat("é", 9)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := reply{code: challenge}
			for _, m := range tt.messages {
				r.attributes = append(r.attributes, attribute{replyMessage, m})
			}
			got := firstStep(t, open(t, radius.Config{Servers: []string{serve(t, always(r))}}), alice).Prompt
			assert.Equal(t, tt.want, got)
			assert.LessOrEqual(t, len(got), 500)
		})
	}
}

// TestAStateIsBounded: it travels to the person and back.
func TestAStateIsBounded(t *testing.T) {
	c := auth.Credentials{User: strings.Repeat("<", 253), Password: "wonder"} // JSON writes six bytes for each
	b := open(t, radius.Config{Servers: []string{serve(t, always(reply{code: challenge, attributes: []attribute{{state, strings.Repeat("\xff", 253)}}}))}})
	asked := firstStep(t, b, c)
	assert.Less(t, len(asked.State), 4<<10)
	c.Challenge, c.OTP = asked.State, "123456"
	assert.NotNil(t, firstStep(t, b, c), "it comes back whole")
}
