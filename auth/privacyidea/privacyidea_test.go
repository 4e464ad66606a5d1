package privacyidea_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
)

const pin = "wonder"

func open(t testing.TB, s *privacyideatest.Server, change ...func(*privacyidea.Config)) *privacyidea.Verifier {
	t.Helper()
	cfg := privacyidea.Config{URL: s.URL, CAs: s.CAs(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, c := range change {
		c(&cfg)
	}
	v, err := privacyidea.New(cfg)
	require.NoError(t, err)
	return v
}

func alice(code string) auth.Credentials {
	return auth.Credentials{User: "alice", Password: pin, OTP: auth.Secret(code)}
}

// challenged verifies credentials and returns the challenge that this begins.
func challenged(t *testing.T, v auth.Verifier, c auth.Credentials) *auth.Challenge {
	t.Helper()
	var challenge *auth.Challenge
	require.ErrorAs(t, v.Verify(t.Context(), c), &challenge)
	return challenge
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return "https://" + l.Addr().String()
}

func TestConformance(t *testing.T) {
	for name, tt := range map[string]struct {
		server privacyideatest.Config
		asks   string
		pass   privacyidea.PassMode
	}{
		"password and code":          {},
		"the code alone":             {pass: privacyidea.OTPOnly},
		"a token that asks":          {asks: "Please enter the code"},
		"an old server":              {server: privacyideatest.Config{Old: true}, asks: "Please enter the code"},
		"a server that hides detail": {server: privacyideatest.Config{HideDetail: true}},
	} {
		t.Run(name, func(t *testing.T) {
			tt.server.MaxFail = 1000
			s := privacyideatest.NewServer(t, tt.server)
			of := pin
			if tt.pass == privacyidea.OTPOnly {
				of = ""
			}
			k := s.AddToken("alice", of, privacyideatest.HOTP).Asks(tt.asks)
			authtest.TestVerifier(t, authtest.VerifierTarget{
				Verifier: open(t, s, func(c *privacyidea.Config) { c.Pass = tt.pass }),
				Fresh:    func() auth.Credentials { return alice(k.Code()) },
				Down:     open(t, s, func(c *privacyidea.Config) { c.URL = closedPort(t) }),
			})
		})
	}
}

func TestWhatTheServerGets(t *testing.T) {
	tests := map[string]struct {
		config privacyidea.Config
		want   map[string]string
	}{
		"password and code, by default": {want: map[string]string{"user": "alice", "pass": "wonder123456"}},
		"the code alone":                {config: privacyidea.Config{Pass: privacyidea.OTPOnly}, want: map[string]string{"user": "alice", "pass": "123456"}},
		"a realm":                       {config: privacyidea.Config{Realm: "sales"}, want: map[string]string{"user": "alice", "pass": "wonder123456", "realm": "sales"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := privacyideatest.NewServer(t, privacyideatest.Config{Realm: "sales"})
			tt.config.URL, tt.config.CAs = s.URL+"/", s.CAs()
			v, err := privacyidea.New(tt.config)
			require.NoError(t, err)

			_ = v.Verify(t.Context(), alice("123456")) // refused

			require.Len(t, s.Checks(), 1)
			got := map[string]string{}
			for key, values := range s.Checks()[0] {
				got[key] = strings.Join(values, "|")
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestATokenIsLockedByWrongCodesAndNotByUs(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{MaxFail: 3})
	k := s.AddToken("alice", pin, privacyideatest.HOTP)
	v := open(t, s)
	for range 2 {
		require.ErrorIs(t, v.Verify(t.Context(), alice("000000x")), auth.ErrInvalidCredentials)
	}
	require.False(t, k.Locked(), "two wrong codes count as two")
	require.ErrorIs(t, v.Verify(t.Context(), alice("000000x")), auth.ErrInvalidCredentials)
	assert.True(t, k.Locked())
	assert.ErrorIs(t, v.Verify(t.Context(), alice(k.Code())), auth.ErrInvalidCredentials)
}

func TestAnAPIKey(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{APIKey: "key-77"})
	k := s.AddToken("alice", pin, privacyideatest.HOTP)

	require.NoError(t, open(t, s, func(c *privacyidea.Config) { c.APIKey = "key-77" }).Verify(t.Context(), alice(k.Code())))
	assert.ErrorIs(t, open(t, s).Verify(t.Context(), alice(k.Code())), auth.ErrUnavailable)
}

func TestAnUnknownUserIsWhatTheServerMakesOfIt(t *testing.T) {
	for name, tt := range map[string]struct {
		fails bool
		want  error
	}{
		"a refusal": {want: auth.ErrInvalidCredentials},
		"an error":  {fails: true, want: auth.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := privacyideatest.NewServer(t, privacyideatest.Config{UnknownUserFails: tt.fails})
			assert.ErrorIs(t, open(t, s).Verify(t.Context(), alice("123456")), tt.want)
		})
	}
}

func TestWhatIsNoDecisionIsUnavailable(t *testing.T) {
	const yes = `{"result":{"status":true,"value":true}}`
	tests := map[string]struct {
		status int
		body   string
	}{
		"status false":               {200, `{"result":{"status":false,"value":true}}`},
		"status false with an error": {400, `{"result":{"status":false,"error":{"code":905,"message":"missing"}}}`},
		"a yes with 400":             {400, yes},
		"a yes with 401":             {401, yes},
		"a yes with 500":             {500, yes},
		"a yes with 202":             {202, yes},
		"nothing":                    {200, ``},
		"a web page":                 {200, `<html>login</html>`},
		"null":                       {200, `null`},
		"no result":                  {200, `{"id":1}`},
		"no value":                   {200, `{"result":{"status":true}}`},
		"value null":                 {200, `{"result":{"status":true,"value":null}}`},
		"value 1":                    {200, `{"result":{"status":true,"value":1}}`},
		"value \"true\"":             {200, `{"result":{"status":true,"value":"true"}}`},
		"a value that is an object":  {200, `{"result":{"status":true,"value":{"a":true}}}`},
		"status \"true\"":            {200, `{"result":{"status":"true","value":true}}`},
		"true beside REJECT":         {200, `{"result":{"status":true,"value":true,"authentication":"REJECT"}}`},
		"true beside CHALLENGE":      {200, `{"result":{"status":true,"value":true,"authentication":"CHALLENGE"}}`},
		"half an answer":             {200, yes[:30]},
		"an answer and more":         {200, yes + yes},
		"a megabyte, and an answer":  {200, strings.Repeat(" ", 1<<20) + yes},
		"an answer, and a megabyte":  {200, yes + strings.Repeat(" ", 1<<20)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := privacyideatest.NewServer(t, privacyideatest.Config{})
			asked := 0
			s.Instead(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			err := open(t, s).Verify(t.Context(), alice("123456"))
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.NotErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Equal(t, 1, asked, "nothing is tried again")
		})
	}
}

func TestAnAnswerWithoutAnEndIsCutOff(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	s.Instead(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := bytes.Repeat([]byte(" "), 1<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	err := open(t, s).Verify(t.Context(), alice("123456"))
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.ErrorContains(t, err, "larger than 256 KiB", "and not the end of its time")
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := privacyideatest.NewServer(t, privacyideatest.Config{})
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	for _, status := range []int{301, 302, 303, 307, 308} {
		s.Instead(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, status)
		})
		require.ErrorIs(t, open(t, s).Verify(t.Context(), alice("123456")), auth.ErrUnavailable, "%d", status)
	}
	assert.Empty(t, elsewhere.Checks())
}

func TestAServerThatHangsIsLeftAndNotAskedAgain(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	var mu sync.Mutex
	asked := 0
	s.Instead(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		mu.Unlock()
		_ = r.ParseForm() // so that the end of the connection is seen
		<-r.Context().Done()
	})
	v := open(t, s, func(c *privacyidea.Config) { c.Timeout = 200 * time.Millisecond })

	require.ErrorIs(t, v.Verify(t.Context(), alice("123456")), auth.ErrUnavailable)

	mu.Lock()
	defer mu.Unlock()
	assert.Equal(t, 1, asked)
}

func TestTheServersCertificateIsChecked(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	k := s.AddToken("alice", pin, privacyideatest.HOTP)

	for name, tt := range map[string]struct {
		change func(*privacyidea.Config)
		want   error
	}{
		"its CA is known":      {change: func(*privacyidea.Config) {}},
		"the system's CAs":     {change: func(c *privacyidea.Config) { c.CAs = nil }, want: auth.ErrUnavailable},
		"another CA":           {change: func(c *privacyidea.Config) { c.CAs = x509.NewCertPool() }, want: auth.ErrUnavailable},
		"not checked, by wish": {change: func(c *privacyidea.Config) { c.CAs, c.Insecure = nil, true }},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(s.Checks())
			assert.ErrorIs(t, open(t, s, tt.change).Verify(t.Context(), alice(k.Code())), tt.want)
			if tt.want != nil {
				assert.Len(t, s.Checks(), before, "the password was not sent")
			}
		})
	}
}

func TestHealth(t *testing.T) {
	s := privacyideatest.NewServer(t, privacyideatest.Config{})
	require.NoError(t, open(t, s).CheckHealth(t.Context()))
	assert.Empty(t, s.Checks(), "no login is tried")

	err := open(t, s, func(c *privacyidea.Config) { c.URL = closedPort(t) }).CheckHealth(t.Context())
	assert.ErrorContains(t, err, "one-time passwords: privacyIDEA at https://127.0.0.1:")
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		config privacyidea.Config
		says   string
	}{
		"no URL":               {says: "is missing: write https://host"},
		"no address":           {config: privacyidea.Config{URL: "pi.example"}, says: "cannot be read"},
		"plain http":           {config: privacyidea.Config{URL: "http://pi.example"}, says: "is not https"},
		"a user in the URL":    {config: privacyidea.Config{URL: "https://u:secret@pi.example"}, says: "more than host, port and path"},
		"a query":              {config: privacyidea.Config{URL: "https://pi.example?x=1"}, says: "more than host, port and path"},
		"an unknown mode":      {config: privacyidea.Config{URL: "https://pi.example", Pass: "pin"}, says: "write password+otp or otp"},
		"a key of two lines":   {config: privacyidea.Config{URL: "https://pi.example", APIKey: "secret\nX: y"}, says: "characters that cannot be sent"},
		"a key with an umlaut": {config: privacyidea.Config{URL: "https://pi.example", APIKey: "secretä"}, says: "characters that cannot be sent"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := privacyidea.New(tt.config)
			require.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
	for _, url := range []string{"http://127.0.0.1:5000", "http://[::1]", "http://localhost/pi", "https://pi.example/pi/"} {
		_, err := privacyidea.New(privacyidea.Config{URL: url})
		assert.NoError(t, err, url)
	}
}

// A server that repeats what it got is the worst that can happen to a log.
func TestNoSecretReachesALogAnErrorOrAPrompt(t *testing.T) {
	const apiKey, code = "key-77-tulip", "987654"
	for name, body := range map[string]string{
		"a refusal":   `{"result":{"status":true,"value":false},"detail":{"message":"ECHO"}}`,
		"a challenge": `{"result":{"status":true,"value":false},"detail":{"message":"ECHO","transaction_id":"0815"}}`,
		"an error":    `{"result":{"status":false,"error":{"code":1,"message":"ECHO"}}}`,
		"no answer":   ``,
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			s := privacyideatest.NewServer(t, privacyideatest.Config{})
			s.Instead(func(w http.ResponseWriter, r *http.Request) {
				if body == "" {
					panic(http.ErrAbortHandler)
				}
				echo := r.PostFormValue("pass") + " " + r.Header.Get("Authorization") + " " + code
				_, _ = w.Write([]byte(strings.Replace(body, "ECHO", echo, 1)))
			})
			v := open(t, s, func(c *privacyidea.Config) {
				c.APIKey, c.Logger = apiKey, slog.New(slog.NewTextHandler(&log, nil))
			})

			err := v.Verify(t.Context(), alice(code))

			require.Error(t, err)
			said := log.String() + err.Error()
			if c := (*auth.Challenge)(nil); errors.As(err, &c) {
				said += c.Prompt
			}
			for _, secret := range []string{pin, code, apiKey, "0815"} {
				assert.NotContains(t, said, secret)
			}
		})
	}
}

func Example() {
	verifier, err := privacyidea.New(privacyidea.Config{URL: "https://pi.example", Realm: "sales"})
	if err != nil {
		return
	}
	backend := authtest.Static{} // or any other first factor
	_ = auth.WithOTP(backend, verifier)
	// Output:
}
