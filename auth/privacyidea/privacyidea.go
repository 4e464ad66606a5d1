// Package privacyidea asks a privacyIDEA server whether a one-time password is
// good.
//
// A [Verifier] sends what was typed to /validate/check. The server accepts,
// refuses, or begins a challenge: a question to the person, which becomes an
// [auth.Challenge], or a message to the person's phone, whose answer Verify waits
// for. What it cannot make sense of is [auth.ErrUnavailable], never an acceptance
// and never a refusal. A check is sent once: wrong codes lock a token, so nothing
// here tries again.
//
// The facts are those of the public documentation of privacyIDEA 3. The package
// knows nothing of passwords: that is the first factor's part.
package privacyidea

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

// A PassMode says what the server gets as "pass".
type PassMode string

// The modes. The zero value means PasswordOTP.
const (
	PasswordOTP PassMode = "password+otp" // the OTP PIN of the tokens is the person's password
	OTPOnly     PassMode = "otp"          // the tokens have no PIN, or the person types it before the code
)

// Config says which server a [Verifier] asks. URL is required.
type Config struct {
	URL    string      // https://host[:port][/prefix], without /validate/check
	Pass   PassMode    // "" means PasswordOTP
	Realm  string      // of the users; "" means the server's default realm
	APIKey auth.Secret // sent as Authorization; "" means none

	CAs *x509.CertPool // that the server's certificate is checked with; nil means the system's
	// Insecure takes any certificate, and plain http. Whoever is on the way can
	// then read passwords and answer for the server.
	Insecure bool

	Timeout  time.Duration // of one request; 0 means 10 s
	PushWait time.Duration // how long a person has to answer a push message; 0 means 45 s
	Logger   *slog.Logger  // is told why a code is refused; nil means slog.Default()
}

// pollEvery is how often the server is asked for the answer to a push message.
const pollEvery = 1500 * time.Millisecond

// maxCode bounds a code, in bytes. The longest that a token makes has some 44
// characters; a PIN may stand before it.
const maxCode = 256

// A Verifier is a second factor. It is safe for concurrent use.
type Verifier struct {
	cfg  Config
	base string // of all addresses, without a final slash
	http *http.Client
}

var (
	_ auth.Verifier      = (*Verifier)(nil)
	_ auth.HealthChecker = (*Verifier)(nil)
)

// New returns a Verifier. It asks nothing yet.
func New(cfg Config) (*Verifier, error) {
	base, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("privacyidea: %w", err)
	}
	if cfg.Pass == "" {
		cfg.Pass = PasswordOTP
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.PushWait == 0 {
		cfg.PushWait = 45 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Verifier{cfg: cfg, base: base, http: &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: cfg.CAs,
				InsecureSkipVerify: cfg.Insecure, //nolint:gosec // the operator's decision, which is logged at the start
			},
			ForceAttemptHTTP2:   true,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     90 * time.Second,
		},
		// A redirect would carry the password to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// check returns the address without its final slash.
func (c Config) check() (string, error) {
	u, err := url.Parse(c.URL)
	switch {
	case c.URL == "":
		return "", errors.New("the URL of the server is missing: write https://host")
	case err != nil, u.Hostname() == "", u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("the URL of the server %.200q cannot be read: write https://host", c.URL)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", errors.New("the URL of the server has more than host, port and path: write https://host")
	case u.Scheme == "http" && !c.Insecure && !loopback(u.Hostname()):
		return "", fmt.Errorf("the URL of the server %.200q is not https, so passwords could be read on the way: write https://", c.URL)
	case c.Pass != "" && c.Pass != PasswordOTP && c.Pass != OTPOnly:
		return "", fmt.Errorf("%.40q is no mode of the pass: write %s or %s", string(c.Pass), PasswordOTP, OTPOnly)
	case strings.ContainsFunc(string(c.APIKey), func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("the API key has characters that cannot be sent: put the key and nothing else into its file")
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Verify implements [auth.Verifier]. Without a code the server decides whether it
// begins a challenge; while it waits for the answer to a push message, so does
// Verify. With c.Challenge the code answers that challenge, and no code means
// that the person has answered on the phone.
func (v *Verifier) Verify(ctx context.Context, c auth.Credentials) error {
	if dcvix.Username(c.User).Validate() != nil || !sendable(string(c.OTP)) {
		return auth.ErrInvalidCredentials
	}
	if c.Challenge != "" {
		return v.answer(ctx, c)
	}
	form := v.form(c.User)
	form.Set("pass", string(c.OTP))
	if v.cfg.Pass == PasswordOTP {
		form.Set("pass", string(c.Password)+string(c.OTP))
	}
	a, err := v.check(ctx, c, form)
	if err != nil {
		return err
	}
	switch {
	case a.accepted:
		return nil
	case a.challenge == nil:
		return v.refused(ctx, c, a)
	case a.challenge.Way == wayPush:
		return v.push(ctx, c, a.challenge.ID)
	default:
		return v.ask(ctx, c, a)
	}
}

// sendable refuses codes that nobody types; a server may cut what surrounds one.
func sendable(code string) bool {
	return len(code) <= maxCode && utf8.ValidString(code) && !strings.ContainsFunc(code, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r)
	})
}

func (v *Verifier) form(user string) url.Values {
	form := url.Values{"user": {user}}
	if v.cfg.Realm != "" {
		form.Set("realm", v.cfg.Realm)
	}
	return form
}

// ask makes a Challenge of the server's.
func (v *Verifier) ask(ctx context.Context, c auth.Credentials, a answer) error {
	if a.challenge.Way == wayKey {
		v.cfg.Logger.WarnContext(ctx, "the user's token is a security key, which cannot be used in a login form: give the user a token with codes or push messages",
			slog.String("user", c.User), slog.String("serial", a.serial))
	}
	return &auth.Challenge{Prompt: a.challenge.prompt, State: a.challenge.state()}
}

// answer takes the person's answer to a challenge.
func (v *Verifier) answer(ctx context.Context, c auth.Credentials) error {
	open, ok := parseState(c.Challenge)
	switch {
	case !ok, open.Way == wayKey:
		return auth.ErrInvalidCredentials
	case c.OTP == "" && open.Way == wayBoth:
		return v.push(ctx, c, open.ID)
	case c.OTP == "":
		return auth.ErrInvalidCredentials
	}
	return v.finish(ctx, c, open.ID)
}

// finish sends the answer to a challenge; only what the server says to it counts.
func (v *Verifier) finish(ctx context.Context, c auth.Credentials, id string) error {
	form := v.form(c.User)
	form.Set("transaction_id", id)
	form.Set("pass", string(c.OTP))
	a, err := v.check(ctx, c, form)
	switch {
	case err != nil:
		return err
	case a.accepted:
		return nil
	case a.again && a.challenge != nil && a.challenge.Way != wayPush:
		return v.ask(ctx, c, a)
	}
	return v.refused(ctx, c, a)
}

// push waits for the person's answer on the phone.
func (v *Verifier) push(ctx context.Context, c auth.Credentials, id string) error {
	deadline := time.NewTimer(v.cfg.PushWait)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("answer to a push message: %w", errors.Join(auth.ErrUnavailable, context.Cause(ctx)))
		case <-deadline.C:
			return v.refused(ctx, c, answer{message: "the push message was not answered in time"})
		case <-tick.C:
		}
		switch a, err := v.poll(ctx, c, id); {
		case err != nil:
			return err
		case a.declined:
			return v.refused(ctx, c, answer{message: "the push message was declined"})
		case a.accepted:
			c.OTP = ""
			return v.finish(ctx, c, id)
		}
	}
}

// refused says why to the log, and nothing to anybody else.
func (v *Verifier) refused(ctx context.Context, c auth.Credentials, a answer) error {
	v.cfg.Logger.InfoContext(ctx, "one-time password refused", slog.String("user", c.User),
		slog.String("serial", a.serial), slog.String("reason", a.message))
	return auth.ErrInvalidCredentials
}

// hide takes what was typed out of the server's text, should it be repeated there.
func (v *Verifier) hide(c auth.Credentials, text string) string {
	for _, secret := range []auth.Secret{c.Password, c.OTP, v.cfg.APIKey} {
		if secret != "" {
			text = strings.ReplaceAll(text, string(secret), "[redacted]")
		}
	}
	return text
}

// CheckHealth implements [auth.HealthChecker]: it asks whether a web server
// answers at the address. It needs no right there.
func (v *Verifier) CheckHealth(ctx context.Context) error {
	if _, _, err := v.send(ctx, http.MethodGet, "/", nil); err != nil {
		return fmt.Errorf("one-time passwords: privacyIDEA at %s: %w", v.base, err)
	}
	return nil
}
