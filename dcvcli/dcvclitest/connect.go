package dcvclitest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// The wire between the fake client and the fake server. A client posts the form
// fields "session" and "token" and is answered with 200 and lines of JSON: at
// once a welcome, and at the end of a connection that the server ends a farewell.
// A client leaves by closing the TCP connection. A refusal is another status and
// one sentence of text.
const (
	connectPath  = "/fake/connect"
	sessionsPath = "/fake/sessions"
)

type welcome struct {
	User    string `json:"user"`
	Session string `json:"session"`
	Type    string `json:"type"`
	Host    string `json:"host"`
}

type farewell struct {
	Ended string `json:"ended"`
}

const (
	// badTokensLimit is authentication-threshold of dcv.conf: so many bad tokens
	// on one connection and the server drops it.
	badTokensLimit = 3

	// maxPerUser is max-connections-per-user of dcv.conf.
	maxPerUser = 10

	// lookEvery is how often a connection looks whether its session is still there.
	lookEvery = 100 * time.Millisecond
)

// badTokensKey finds the count of bad tokens of a TCP connection.
type badTokensKey struct{}

// A refusal is what a client hears instead of a welcome.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	session, token := r.PostFormValue("session"), r.PostFormValue("token")
	logger := s.cfg.Logger.With(slog.String("session", cut(session)), slog.String("client_address", r.RemoteAddr))

	user, err := s.authenticate(r, session, token)
	if err != nil {
		logger.WarnContext(r.Context(), "client refused", slog.String("reason", err.Error()))
		dropAfterBadTokens(w, r)
		http.Error(w, "The token was not accepted.", http.StatusUnauthorized)
		return
	}
	logger = logger.With(slog.String("user", cut(user)))
	hello, id, err := s.enter(r, session, user)
	if err != nil {
		logger.WarnContext(r.Context(), "client refused", slog.String("reason", err.Error()))
		status, text := http.StatusInternalServerError, "The fake DCV server cannot keep its state."
		if no, ok := errors.AsType[*refusal](err); ok {
			status, text = no.status, no.text
		}
		http.Error(w, text, status)
		return
	}
	logger.InfoContext(r.Context(), "client connected", slog.Uint64("connection", id))
	reason := s.hold(w, r, hello, id)
	logger.InfoContext(r.Context(), "client disconnected", slog.Uint64("connection", id), slog.String("reason", reason))
	if err := s.leave(session, id); err != nil {
		logger.ErrorContext(r.Context(), "disconnection not recorded", slog.Any("err", err))
	}
}

func (s *Server) authenticate(r *http.Request, session, token string) (string, error) {
	if session == "" || token == "" {
		return "", errors.New("the client showed no session or no token")
	}
	state, err := s.cfg.DCV.State()
	if err != nil {
		return "", err
	}
	host, err := state.Profile.release()
	if err != nil {
		return "", err
	}
	return s.verifier.verify(r.Context(), question{
		session: session, token: token, client: r.RemoteAddr,
		userAgent: fmt.Sprintf("DCV/%s (r%d)", host.version, host.build),
	})
}

// dropAfterBadTokens makes the answer the last one of its TCP connection when it
// is one bad token too many.
func dropAfterBadTokens(w http.ResponseWriter, r *http.Request) {
	count, ok := r.Context().Value(badTokensKey{}).(*atomic.Int32)
	if ok && count.Add(1) >= badTokensLimit {
		w.Header().Set("Connection", "close")
	}
}

// enter counts a user in, or returns a [*refusal].
func (s *Server) enter(r *http.Request, id, user string) (welcome, uint64, error) {
	var hello welcome
	var connection uint64
	err := s.cfg.DCV.Update(func(state *State) error {
		session, err := state.admit(id, user)
		if err != nil {
			return err
		}
		state.LastConnection++
		connection = state.LastConnection
		session.Connections = append(session.Connections, Connection{
			ID: connection, User: user, Address: r.RemoteAddr, UserAgent: cut(r.UserAgent()), ConnectionTime: s.cfg.Now(),
		})
		hello = welcome{User: user, Session: id, Type: session.Type, Host: s.cfg.Name}
		return nil
	})
	return hello, connection, err
}

// admit returns the session that the user may enter: by default permissions its
// owner may, and nobody else.
func (s *State) admit(id, user string) (*Session, error) {
	host, err := s.Profile.release()
	if err != nil {
		return nil, err
	}
	session, ok := s.Session(id)
	if !ok {
		return nil, &refusal{http.StatusNotFound, fmt.Sprintf("The session %s is not available.", cut(id))}
	}
	if !host.sameUser(session.Owner, user) {
		return nil, &refusal{http.StatusForbidden, fmt.Sprintf("The user %s may not enter this session.", cut(user))}
	}
	if limit := session.MaxConcurrentClients; limit > 0 && len(session.Connections) >= limit {
		return nil, &refusal{http.StatusConflict, "The session has as many clients as it may have."}
	}
	mine := 0
	for _, other := range s.Sessions {
		for _, c := range other.Connections {
			if host.sameUser(c.User, user) {
				mine++
			}
		}
	}
	if mine >= maxPerUser {
		return nil, &refusal{http.StatusConflict, "The user has as many connections as one may have."}
	}
	return session, nil
}

// hold keeps a connection until the client leaves or the server ends it, and
// returns why it ended.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, hello welcome, id uint64) string {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	if err := say(w, hello); err != nil {
		return "the client left"
	}
	reason := s.waitForEnd(r.Context(), hello.Session, id)
	if err := say(w, farewell{Ended: reason}); err != nil {
		return "the client left"
	}
	return reason
}

// say writes one line of JSON to the client now.
func say(w http.ResponseWriter, line any) error { // any, as json.Marshal has it
	if err := json.NewEncoder(w).Encode(line); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

func (s *Server) waitForEnd(ctx context.Context, session string, id uint64) string {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errStopped) {
				return errStopped.Error()
			}
			return "the client left"
		case <-tick.C:
		}
		state, err := s.cfg.DCV.State()
		if err != nil {
			return err.Error()
		}
		found, ok := state.Session(session)
		if !ok {
			return "the session was closed"
		}
		if !found.has(id) {
			return "the client was disconnected"
		}
	}
}

// leave counts a client out.
func (s *Server) leave(session string, id uint64) error {
	return s.cfg.DCV.Update(func(state *State) error {
		if found, ok := state.Session(session); ok {
			found.disconnect(id, s.cfg.Now())
		}
		return nil
	})
}

// cut bounds what strangers can make us log, keep and say.
func cut(text string) string {
	const limit = 128
	if len(text) <= limit {
		return text
	}
	return text[:limit]
}
