package conversation_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/pam/conversation"
)

func TestARequestArrivesAsItWasSent(t *testing.T) {
	sent := conversation.Request{Version: conversation.Version, Service: "login", User: "alice", Password: []byte("a\n\xff\"\\"), OTP: []byte("1")}
	line, err := conversation.Line(sent, conversation.MaxRequest)
	require.NoError(t, err)
	got, err := conversation.ReadRequest(iotest.OneByteReader(bytes.NewReader(line)))
	require.NoError(t, err)
	assert.Equal(t, sent, got)
}

func TestTheLargestRequestFits(t *testing.T) {
	secret := bytes.Repeat([]byte{'"'}, conversation.MaxSecret)
	sent := conversation.Request{
		Version: conversation.Version, Service: strings.Repeat("s", 64), ServiceDir: strings.Repeat("d", 1024),
		User: strings.Repeat("\u2028", 85), Password: secret, OTP: secret,
	}
	line, err := conversation.Line(sent, conversation.MaxRequest)
	require.NoError(t, err)
	got, err := conversation.ReadRequest(bytes.NewReader(line))
	require.NoError(t, err)
	assert.Equal(t, sent, got)

	_, err = conversation.Line(sent, 100)
	assert.Error(t, err)
}

func TestWhatIsNoRequestIsRefusedInASentence(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":                 {text: "", want: "the request has no end"},
		"half a line":             {text: `{"version":1`, want: "the request has no end"},
		"too long a line":         {text: strings.Repeat(" ", conversation.MaxRequest+1) + "\n", want: "the request is too long"},
		"no JSON":                 {text: "hello\n", want: "the request is not the line of JSON asked for"},
		"an unknown field":        {text: `{"version":1,"service":"a","user":"b","passwort":"c"}` + "\n", want: "the request is not the line of JSON asked for"},
		"two values":              {text: `{"version":1,"user":"b"}{}` + "\n", want: "the request is not the line of JSON asked for"},
		"two lines":               {text: `{"version":1,"user":"b"}` + "\n{}\n", want: "the request is not the line of JSON asked for"},
		"another version":         {text: `{"version":7,"user":"b"}` + "\n", want: "the request has version 7, the helper has 1: install director and helper of one release"},
		"no user":                 {text: `{"version":1,"service":"a"}` + "\n", want: "the request names no user"},
		"a user with a NUL":       {text: `{"version":1,"user":"root\u0000x"}` + "\n", want: "the request names no user"},
		"a password with a NUL":   {text: `{"version":1,"user":"b","password":"AGE="}` + "\n", want: "the request has a secret that PAM cannot take"},
		"a code that is too long": {text: `{"version":1,"user":"b","otp":"` + strings.Repeat("AAAA", 200) + `"}` + "\n", want: "the request has a secret that PAM cannot take"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := conversation.ReadRequest(strings.NewReader(tt.text))
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestACheckNeedsNoUser(t *testing.T) {
	_, err := conversation.ReadRequest(strings.NewReader(`{"version":1,"check":true,"service":"login"}` + "\n"))
	assert.NoError(t, err)
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"service":"login","user":"alice","password":"d29uZGVy"}` + "\n"))
	f.Add([]byte(`{"version":1,"check":true}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		req, err := conversation.ReadRequest(bytes.NewReader(text))
		if err != nil {
			return
		}
		assert.Equal(t, conversation.Version, req.Version)
		assert.NotContains(t, req.User+string(req.Password)+string(req.OTP), "\x00")
		assert.True(t, req.Check || req.User != "")
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"version":1,"result":"success","phase":"account","user":"alice"}` + "\n"))
	f.Add([]byte(`{"version":1,"result":"conv_err","wanted":true,"messages":["a"]}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := conversation.ParseAnswer(text)
		if err != nil {
			assert.Zero(t, answer)
			return
		}
		line, err := conversation.Line(answer, 10*conversation.MaxAnswer) // escapes may make it longer
		require.NoError(t, err)
		again, err := conversation.ParseAnswer(line)
		if len(line) <= conversation.MaxAnswer {
			require.NoError(t, err)
			assert.Equal(t, answer.Result, again.Result)
		}
	})
}
