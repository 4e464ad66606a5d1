package dcvclitest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// settle returns the verifier by the settings of now. One URL may follow another
// at once, but from none to one and back takes a restart (Administrator Guide,
// parameter auth-token-verifier). The other settings hold at once.
func (s *Server) settle(state State) (verifier, error) {
	set, err := state.settings()
	if err != nil {
		return verifier{}, err
	}
	wanted := set.text("security/auth-token-verifier", s.cfg.VerifierURL)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settled || s.restarts != state.Restarts || wanted != "" && s.verifier != "" {
		s.settled, s.restarts, s.verifier = true, state.Restarts, wanted
	}
	if wanted != s.verifier {
		s.cfg.Logger.Warn("auth-token-verifier waits for a restart", slog.Bool("wanted", wanted != ""))
	}
	u, err := parseVerifierURL(s.verifier)
	if err != nil {
		return verifier{}, fmt.Errorf("auth-token-verifier: %w", err)
	}
	v := verifier{
		url:      u,
		timeout:  s.cfg.VerifierTimeout,
		roots:    s.cfg.VerifierCA,
		caFile:   set.text("security/ca-file", s.cfg.CAFile),
		insecure: set.flag("security/no-tls-strict", s.cfg.NoTLSStrict),
		now:      s.cfg.Now,
	}
	if seconds := set.number("security/auth-token-verifier-timeout", 0); seconds > 0 {
		v.timeout = time.Duration(seconds) * time.Second
	}
	return v, nil
}

func parseVerifierURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // DCV knows "no verifier" too
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%q is not an https or http URL", text)
	}
	return u, nil
}

// threshold returns authentication-threshold: so many bad tokens on one
// connection and the server drops it.
func (s settings) threshold() int { return s.number("security/authentication-threshold", 3) }

// A refusal is what a client hears instead of a welcome.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// admit returns the session that the user may enter.
func (s *State) admit(h host, id, user string) (*Session, error) {
	session, ok := s.Session(id)
	if !ok {
		return nil, &refusal{http.StatusNotFound, fmt.Sprintf("The session %s is not available.", cut(id))}
	}
	may, err := s.mayEnter(h, *session, user)
	if err != nil {
		return nil, fmt.Errorf("permissions of session %q: %w", cut(id), err)
	}
	if !may {
		return nil, &refusal{http.StatusForbidden, fmt.Sprintf("The user %s may not enter this session.", cut(user))}
	}
	limit := session.MaxConcurrentClients
	if limit == 0 {
		limit = h.settings.number("session-management/max-concurrent-clients", -1)
	}
	if limit >= 0 && len(session.Connections) >= limit {
		return nil, &refusal{http.StatusConflict, "The session has as many clients as it may have."}
	}
	if s.connectionsOf(h, user) >= h.settings.number("security/max-connections-per-user", 10) {
		return nil, &refusal{http.StatusConflict, "The user has as many connections as one may have."}
	}
	return session, nil
}

func (s *State) connectionsOf(h host, user string) int {
	mine := 0
	for _, session := range s.Sessions {
		for _, c := range session.Connections {
			if h.sameUser(c.User, user) {
				mine++
			}
		}
	}
	return mine
}

// asRefusal returns what a client hears of an error.
func asRefusal(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	return &refusal{http.StatusInternalServerError, "The fake DCV server cannot read or keep its state."}
}
