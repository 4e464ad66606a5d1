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

	// gatewayHeader names the gateway that a client comes through, for the page.
	gatewayHeader = "Fake-Gateway"
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

// lookEvery is how often a connection looks whether its session is still there.
const lookEvery = 100 * time.Millisecond

// clientLeft is why a connection ended that the client ended.
const clientLeft = "the client left"

// badTokensKey finds the count of bad tokens of a TCP connection.
type badTokensKey struct{}

func (s *Server) connect(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	session, token := r.PostFormValue("session"), r.PostFormValue("token")
	logger := s.cfg.Logger.With(slog.String("session", cut(session)), slog.String("client_address", r.RemoteAddr))

	state, err := s.cfg.DCV.State()
	if err != nil {
		refuse(w, r, logger, err)
		return
	}
	user, err := s.authenticate(r, state, session, token)
	if err != nil {
		logger.WarnContext(r.Context(), "client refused", slog.String("reason", err.Error()))
		dropAfterBadTokens(w, r, state)
		http.Error(w, "The token was not accepted.", http.StatusUnauthorized)
		return
	}
	logger = logger.With(slog.String("user", cut(user)))
	hello, id, err := s.enter(r, session, user)
	if err != nil {
		refuse(w, r, logger, err)
		return
	}
	logger.InfoContext(r.Context(), "client connected", slog.Uint64("connection", id))
	reason := s.hold(w, r, hello, id)
	logger.InfoContext(r.Context(), "client disconnected", slog.Uint64("connection", id), slog.String("reason", reason))
	if err := s.leave(session, id); err != nil {
		logger.ErrorContext(r.Context(), "disconnection not recorded", slog.Any("err", err))
	}
}

func refuse(w http.ResponseWriter, r *http.Request, logger *slog.Logger, err error) {
	logger.WarnContext(r.Context(), "client refused", slog.String("reason", err.Error()))
	no := asRefusal(err)
	http.Error(w, no.text, no.status)
}

func (s *Server) authenticate(r *http.Request, state State, session, token string) (string, error) {
	if session == "" || token == "" {
		return "", errors.New("the client showed no session or no token")
	}
	host, err := state.Profile.release()
	if err != nil {
		return "", err
	}
	v, err := s.settle(state)
	if err != nil {
		return "", err
	}
	return v.verify(r.Context(), question{
		session: session, token: token, client: r.RemoteAddr,
		userAgent: fmt.Sprintf("DCV/%s (r%d)", host.version, host.build),
	})
}

// dropAfterBadTokens makes the answer the last one of its TCP connection when it
// is one bad token too many.
func dropAfterBadTokens(w http.ResponseWriter, r *http.Request, state State) {
	count, ok := r.Context().Value(badTokensKey{}).(*atomic.Int32)
	if !ok {
		return
	}
	set, err := state.settings()
	if err != nil || int(count.Add(1)) >= set.threshold() {
		w.Header().Set("Connection", "close")
	}
}

// enter counts a user in, or returns a [*refusal].
func (s *Server) enter(r *http.Request, id, user string) (welcome, uint64, error) {
	var hello welcome
	var connection uint64
	err := s.cfg.DCV.Update(func(state *State) error {
		h, err := state.hostFor("", s.cfg.Now())
		if err != nil {
			return err
		}
		session, err := state.admit(h, id, user)
		if err != nil {
			return err
		}
		state.LastConnection++
		connection = state.LastConnection
		session.Connections = append(session.Connections, Connection{
			ID: connection, User: user, Address: r.RemoteAddr, Gateway: cut(r.Header.Get(gatewayHeader)),
			UserAgent: cut(r.UserAgent()), ConnectionTime: s.cfg.Now(),
		})
		hello = welcome{User: user, Session: id, Type: session.Type, Host: s.cfg.Name}
		return nil
	})
	return hello, connection, err
}

// hold keeps a connection until the client leaves or the server ends it, and
// returns why it ended.
func (s *Server) hold(w http.ResponseWriter, r *http.Request, hello welcome, id uint64) string {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Connection", "close")
	if err := say(w, hello); err != nil {
		return clientLeft
	}
	reason := s.waitForEnd(r.Context(), hello.Session, id)
	if reason == clientLeft { // what is said now may still reach it
		return clientLeft
	}
	if err := say(w, farewell{Ended: reason}); err != nil {
		return clientLeft
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
			return clientLeft
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
