// Package privacyideatest is a stand-in for a privacyIDEA server, for tests of
// what asks one.
//
// A [Server] speaks the documented JSON of /validate/check and
// /validate/polltransaction over real TLS: tokens with codes, challenges, push
// messages, security keys, locks after wrong codes, API keys and errors. Its
// codes are random and good once; it computes none.
package privacyideatest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
)

// Config says how a Server differs from the usual one.
type Config struct {
	Realm   string // of its users; "" means "lab", which is the default realm too
	APIKey  string // that /validate/check asks for in Authorization; "" means none
	MaxFail int    // wrong codes after which a token is locked; 0 means 10

	Old              bool // as old servers: no result.authentication, no client_mode, and polls by path alone
	HideDetail       bool // as a policy can say: answers have no detail
	UnknownUserFails bool // an unknown user is an error (904) and not a refusal
}

// A Kind is what a person has in the hand.
type Kind string

// The kinds of tokens.
const (
	HOTP     Kind = "hotp"
	Push     Kind = "push"
	WebAuthn Kind = "webauthn"
)

// A Server is a running stand-in. It is safe for concurrent use.
type Server struct {
	URL string // https://127.0.0.1:PORT

	cfg  Config
	http *httptest.Server

	mu       sync.Mutex
	tokens   map[string][]*Token
	open     map[string]*transaction
	received []url.Values
	polls    int
	instead  http.HandlerFunc
}

// NewServer starts a Server without users. It runs until the test ends.
func NewServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	if cfg.Realm == "" {
		cfg.Realm = "lab"
	}
	if cfg.MaxFail == 0 {
		cfg.MaxFail = 10
	}
	s := &Server{cfg: cfg, tokens: make(map[string][]*Token), open: make(map[string]*transaction)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /validate/check", s.check)
	mux.HandleFunc("GET /validate/polltransaction/{id}", s.poll)
	if !cfg.Old {
		mux.HandleFunc("GET /validate/polltransaction", s.poll)
	}
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		instead := s.instead
		s.mu.Unlock()
		if instead != nil {
			instead(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	s.http.EnableHTTP2 = true
	s.http.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(t.Output(), nil), slog.LevelInfo)
	s.http.StartTLS()
	s.URL = s.http.URL
	t.Cleanup(s.http.Close)
	return s
}

// CAs returns what the server's certificate is checked with.
func (s *Server) CAs() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.http.Certificate())
	return pool
}

// Certificate returns the server's certificate, which is its own CA.
func (s *Server) Certificate() *x509.Certificate { return s.http.Certificate() }

// Instead lets h answer everything; nil takes that back.
func (s *Server) Instead(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = h
}

// Checks returns what each request to /validate/check asked, in order.
func (s *Server) Checks() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.received)
}

// Polls returns how often a transaction was asked for.
func (s *Server) Polls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polls
}

// A Token is what a user of the Server has.
type Token struct {
	server    *Server
	kind      Kind
	serial    string
	pin       string
	question  string // of its challenges; "" for a HOTP token that begins none
	codes     map[string]bool
	fails     int
	unanswers []*transaction // of a push token
}

// AddToken gives the user a token with that PIN; the user becomes known by it. A
// push token and a security key begin a challenge when they see their PIN alone.
func (s *Server) AddToken(user, pin string, kind Kind) *Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &Token{server: s, kind: kind, pin: pin, serial: serial(kind), codes: make(map[string]bool)}
	k.question = map[Kind]string{Push: "Please confirm on your phone", WebAuthn: "Please touch your security key"}[kind]
	s.tokens[user] = append(s.tokens[user], k)
	return k
}

// Asks lets a HOTP token begin a challenge with that question when it sees its
// PIN alone.
func (k *Token) Asks(question string) *Token {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	k.question = question
	return k
}

// Code returns a fresh code of a HOTP token.
func (k *Token) Code() string {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	for {
		code := digits(6)
		if !k.codes[code] {
			k.codes[code] = true
			return code
		}
	}
}

// Locked says whether the token refuses good codes too.
func (k *Token) Locked() bool {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	return k.locked()
}

func (k *Token) locked() bool { return k.fails >= k.server.cfg.MaxFail }

// Approve answers yes to all open push messages of the token and returns how many
// there were.
func (k *Token) Approve() int { return k.decide("accept") }

// Decline answers no to them.
func (k *Token) Decline() int { return k.decide("declined") }

func (k *Token) decide(status string) int {
	k.server.mu.Lock()
	defer k.server.mu.Unlock()
	n := len(k.unanswers)
	for _, open := range k.unanswers {
		open.status = status
	}
	k.unanswers = nil
	return n
}

// use spends a code.
func (k *Token) use(code string) bool {
	if k.locked() || !k.codes[code] {
		return false
	}
	delete(k.codes, code)
	k.fails = 0
	return true
}

func serial(kind Kind) string {
	return map[Kind]string{HOTP: "OATH", Push: "PIPU", WebAuthn: "WAN"}[kind] + digits(8)
}

func digits(n int) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	d, _ := rand.Int(rand.Reader, limit) // never fails since Go 1.24
	return fmt.Sprintf("%0*s", n, d.String())
}

func write(w http.ResponseWriter, status int, body map[string]any) { // any: it becomes JSON
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
