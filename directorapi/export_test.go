package directorapi

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

// A RouteInfo is a row of the API as tests see it.
type RouteInfo struct{ Method, Path, Access string }

// Routes returns the table of routes.
func Routes() []RouteInfo {
	words := map[access]string{accessNone: "none", accessUser: "user", accessAdmin: "admin", accessAgent: "agent", accessDCV: "dcv", accessGateway: "gateway"}
	var all []RouteInfo
	for _, r := range routes() {
		all = append(all, RouteInfo{r.method, r.path, words[r.access]})
	}
	return all
}

// CheckRoute tells whether a route of that access would be taken.
func CheckRoute(who int) error {
	return route{path: "/x", access: access(who), parts: forUsers, handler: (*Server).health}.check()
}

// CheckControlRoute is CheckRoute for a route that the control half serves.
func CheckControlRoute(who int) error {
	return route{path: "/x", access: access(who), parts: forControl, handler: (*Server).health}.check()
}

// CheckHomelessRoute is CheckRoute for a route that no part serves.
func CheckHomelessRoute() error {
	return route{path: "/x", access: accessNone, handler: (*Server).health}.check()
}

// AgentConnections returns how many open connections of agents are known.
func (s *Server) AgentConnections() int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	return len(s.conns.open)
}

// RefusalCount is what became of many refusals.
type RefusalCount struct {
	Lines     int   // written at once
	Held      int   // remembered after that
	Due       []int // the counts written a minute later
	HeldLater int   // remembered after another minute
}

// CountRefusals refuses n different users at one moment.
func CountRefusals(t testing.TB, n int, now time.Time) RefusalCount {
	t.Helper()
	var f refusals
	var got RefusalCount
	for i := range n {
		got.Lines += len(f.add(session.AuditRecord{Time: now, Action: session.AuditLogin, Actor: strconv.Itoa(i)}))
	}
	got.Held = len(f.all)
	for _, r := range f.take(now.Add(time.Minute)) {
		got.Due = append(got.Due, r.Count)
	}
	f.take(now.Add(2 * time.Minute))
	f.take(now.Add(3 * time.Minute))
	got.HeldLater = len(f.all)
	return got
}

// WithAudit returns a Server that has nothing but an audit.
func WithAudit(t testing.TB, audit session.AuditLog) *Server {
	return &Server{cfg: Config{Audit: audit, Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}}
}

// Refuse puts a refused login on record.
func Refuse(t testing.TB, s *Server, user string) {
	t.Helper()
	c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), httptest.NewRecorder())
	err := s.onRecord(c, session.AuditRecord{Action: session.AuditLogin, Actor: user}, errBadLogin)
	if !errors.Is(err, errBadLogin) {
		t.Errorf("the answer became %v", err)
	}
}

// Challenges returns the Server's half of second steps, alone.
func Challenges(tokens *token.Sealer) *challenges { return newChallenges(tokens, time.Now) }

// SealState returns a sealed challenge.
func (h *challenges) SealState(state, user, address string) (string, error) {
	step, err := h.seal(&auth.Challenge{State: state}, user, address)
	if err != nil {
		return "", err
	}
	return step.challenge, nil
}

// OpenState opens a sealed challenge.
func (h *challenges) OpenState(sealed, user, address string) (string, error) {
	return h.open(sealed, user, address)
}

// Spend uses up a challenge with that id.
func (h *challenges) Spend(id string, expires time.Time) error { return h.spend(id, expires) }

// Spent returns how many challenges are remembered as used.
func (h *challenges) Spent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.spent)
}

// Origin returns where a request of that peer with those headers comes from.
func Origin(trusted []netip.Prefix, peer string, header map[string][]string) (netip.Addr, error) {
	return proxies(trusted).origin(&http.Request{RemoteAddr: peer, Header: header})
}

// Counted returns how many connections count at a listener of [LimitConnections].
func Counted(l net.Listener) int {
	limited := l.(*limitedListener)
	limited.mu.Lock()
	defer limited.mu.Unlock()
	sum := 0
	for _, n := range limited.open {
		sum += n
	}
	return sum
}

// AuditQuery reads the query of a request for the audit.
func AuditQuery(params url.Values) (session.AuditQuery, error) { return auditQuery(params) }

// RememberedTexts returns how many hosts texts remember after a list of each of these,
// when there are so many hosts in all.
func RememberedTexts(inAll int, lists ...[]session.Host) (remembered []int, err error) {
	texts := newHostTexts(func(h session.Host) any { return h.Sessions })
	for _, hosts := range lists {
		if _, err := texts.list(hosts, inAll); err != nil {
			return nil, err
		}
		remembered = append(remembered, len(texts.all))
	}
	return remembered, nil
}

// CertificateEnd returns until when the certificates last that an agent shows one after
// the other, as the overview knows it.
func CertificateEnd(shown ...time.Time) time.Time {
	var c certEnds
	for _, end := range shown {
		c.note(peer{id: "a", expires: end})
	}
	return c.all["a"]
}

// RememberedCertificates returns of how many agents the end of a certificate is known.
func (s *Server) RememberedCertificates() int {
	s.certEnds.mu.Lock()
	defer s.certEnds.mu.Unlock()
	return len(s.certEnds.all)
}

// ServerForAdmin is a host as lists have it.
func ServerForAdmin(h session.Host) dcvix.Server { return serverForAdmin(h) }

// GiveBack keeps a buffer for the bodies of other requests.
func GiveBack(body *bytes.Buffer) { giveBack(body) }
