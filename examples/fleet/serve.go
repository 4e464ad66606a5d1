package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/dcvix/dcvix"
)

// serve answers the director for all agents: they share a port, and the name that
// the director asks for in the handshake says whose certificate it gets.
func (f *fleet) serve(ln net.Listener, roots *x509.CertPool) (stop func()) {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]func(*agent, http.ResponseWriter, *http.Request){
		"GET " + dcvix.PathHealth:     (*agent).getHealth,
		"GET " + dcvix.PathStats:      (*agent).getStats,
		"GET " + dcvix.PathSessions:   (*agent).getSessions,
		"POST " + dcvix.PathSessions:  (*agent).postSession,
		"DELETE " + dcvix.PathSession: (*agent).deleteSession,
		"POST " + dcvix.PathConfig:    (*agent).postConfig,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if a := f.byName[r.TLS.ServerName]; a.behaves(w, r) {
				handler(a, w, r)
			}
		})
	}
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				a, ok := f.byName[hello.ServerName]
				if !ok {
					return nil, fmt.Errorf("no agent is called %.80q", hello.ServerName)
				}
				return &a.pair, nil
			},
			VerifyConnection: isDirector,
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(ln, "", "") }()
	return func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			f.wrong("the agents' listener failed: %v", err)
		}
	}
}

func isDirector(s tls.ConnectionState) error {
	if name := s.PeerCertificates[0].Subject.CommonName; name != dcvix.DirectorCommonName {
		return fmt.Errorf("%.80q calls, which is not the director", name)
	}
	return nil
}

// behaves lets the agent's fault show, and says whether it answers all the same.
func (a *agent) behaves(w http.ResponseWriter, r *http.Request) bool {
	a.fleet.tally.called.Add(1)
	switch a.fault {
	default:
		return true
	case hang:
		_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the connection seen
		<-r.Context().Done()
		return false
	case fails:
		http.Error(w, "DCV is out of order.", http.StatusInternalServerError)
		return false
	case garbage:
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "<html>It works!</html>")
		return false
	case slow:
		return sleep(r.Context(), time.Second+spread(time.Second)) == nil
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *agent) getHealth(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, dcvix.Health{Status: "healthy"})
}

func (a *agent) getStats(w http.ResponseWriter, _ *http.Request) {
	sessions, _ := a.host.list()
	answer(w, http.StatusOK, a.update(sessions))
}

func (a *agent) getSessions(w http.ResponseWriter, _ *http.Request) {
	sessions, _ := a.host.list()
	answer(w, http.StatusOK, sessions)
}

func (a *agent) postSession(w http.ResponseWriter, r *http.Request) {
	var want dcvix.AgentCreateSession
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		a.fleet.wrong("the director asks %s for a session in words that cannot be read: %v", a.name, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id, err := a.host.create(want)
	if err != nil {
		a.fleet.wrong("the director asks %s for a second session where one can be: %v", a.name, err)
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	a.changed()
	answer(w, http.StatusCreated, dcvix.AgentCreatedSession{SessionID: id})
}

func (a *agent) deleteSession(w http.ResponseWriter, r *http.Request) {
	if !a.host.end(dcvix.SessionID(r.PathValue("id"))) {
		http.Error(w, "There is no such session on this host.", http.StatusNotFound)
		return
	}
	a.changed()
	answer(w, http.StatusOK, struct{}{})
}

func (a *agent) postConfig(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct{}{})
}

// answer writes JSON.
func answer[T any](w http.ResponseWriter, status int, body T) { // any: every message of the protocol
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a director that is gone is no matter of ours
}
