package agentclient

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

const (
	maxRequest  = 64 << 10         // bytes of a body
	changeLimit = 30 * time.Second // for starting or closing a session
	stopLimit   = 10 * time.Second // for calls under way when the agent stops
)

// serve answers the director until ctx ends, and lets calls under way finish.
func (a *Agent) serve(ctx context.Context) error {
	address := net.JoinHostPort(a.cfg.BindAddress, strconv.Itoa(a.cfg.AgentPort))
	ln, err := a.cfg.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the director on %s: %w", address, err)
	}
	a.cfg.Logger.InfoContext(ctx, "listening for the director", slog.String("address", ln.Addr().String()))
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      changeLimit + 30*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(strangers{a.cfg.Logger.Handler(), new(sync.Mutex), new(time.Time)}, slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		stopped <- server.Shutdown(grace)
	}()
	if err := server.Serve(tls.NewListener(ln, a.TLSConfig())); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the director: %w", err)
	}
	if err := <-stopped; err != nil {
		_ = server.Close()
	}
	return nil
}

// strangers takes the lines of net/http about connections that came to naught, and
// logs one a minute, so that whoever tries the port writes no log.
type strangers struct {
	slog.Handler

	mu   *sync.Mutex // guards last
	last *time.Time
}

// Handle implements [slog.Handler].
func (s strangers) Handle(ctx context.Context, line slog.Record) error {
	s.mu.Lock()
	quiet := !s.last.IsZero() && line.Time.Sub(*s.last) < time.Minute
	if !quiet {
		*s.last = line.Time
	}
	s.mu.Unlock()
	if quiet {
		return nil
	}
	line.Message = "a connection came to naught: " + clean(line.Message)
	return s.Handler.Handle(ctx, line)
}

// contain keeps a panic in a call from ending the agent, and logs it.
func (a *Agent) contain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.contained(r.Context(), w, r)
		next.ServeHTTP(w, r)
	})
}

// contained is deferred by contain.
func (a *Agent) contained(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	fault := recover()
	switch fault {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(fault)
	}
	a.cfg.Logger.ErrorContext(ctx, "a call of the director met a fault of this program, please report it",
		slog.String("method", r.Method), slog.String("path", clean(r.URL.Path)),
		slog.String("fault", clean(fmt.Sprint(fault))), slog.String("stack", string(debug.Stack())))
	refuse(w, http.StatusInternalServerError, "The agent met a fault of its own; its log says which.")
}

func (a *Agent) routes() http.Handler {
	mux := http.NewServeMux()
	for path, methods := range map[string]map[string]http.HandlerFunc{
		dcvix.PathHealth:   {http.MethodGet: a.getHealth},
		dcvix.PathSessions: {http.MethodGet: a.getSessions, http.MethodPost: a.postSession},
		dcvix.PathSession:  {http.MethodDelete: a.deleteSession},
		dcvix.PathStats:    {http.MethodGet: a.getStats},
		dcvix.PathConfig:   {http.MethodPost: a.postConfig},
	} {
		for method, handler := range methods {
			mux.HandleFunc(method+" "+path, handler)
		}
		allow := allowed(methods)
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", allow)
			refuse(w, http.StatusMethodNotAllowed, "This path takes "+allow+" only.")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "The agent has nothing at this path.")
	})
	return mux
}

func allowed(methods map[string]http.HandlerFunc) string {
	list := ""
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		if methods[m] == nil {
			continue
		}
		if list != "" {
			list += ", "
		}
		list += m
	}
	return list
}

func (a *Agent) getHealth(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, dcvix.Health{Status: "healthy"})
}

func (a *Agent) getStats(w http.ResponseWriter, r *http.Request) {
	update, _ := a.update(r.Context())
	a.announce()
	answer(w, http.StatusOK, update)
}

func (a *Agent) getSessions(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lookLimit)
	defer cancel()
	sessions, err := a.list(ctx)
	if err != nil {
		a.failed(r, w, fmt.Errorf("list sessions: %w", err))
		return
	}
	answer(w, http.StatusOK, onWire(sessions))
}

func (a *Agent) postSession(w http.ResponseWriter, r *http.Request) {
	asked, err := readCreate(http.MaxBytesReader(w, r.Body, maxRequest))
	if unreadable(w, err, "The session cannot be created") {
		return
	}
	id, err := a.create(r.Context(), asked)
	if err != nil {
		a.failed(r, w, err)
		return
	}
	answer(w, http.StatusCreated, dcvix.AgentCreatedSession{SessionID: id})
}

// unreadable refuses a request that could not be read, if that is so.
func unreadable(w http.ResponseWriter, err error, consequence string) bool {
	tooLong := (*http.MaxBytesError)(nil)
	switch {
	case err == nil:
		return false
	case errors.As(err, &tooLong):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request is longer than %d bytes.", maxRequest))
	default:
		refuse(w, http.StatusBadRequest, consequence+": "+clean(err.Error())+".")
	}
	return true
}

func (a *Agent) deleteSession(w http.ResponseWriter, r *http.Request) {
	id := dcvix.SessionID(r.PathValue("id"))
	if id.Validate() != nil { // we act on no such id, whoever made the session
		refuse(w, http.StatusNotFound, "There is no such session on this host.")
		return
	}
	// Directors of the 0.1 generation do not say whose it is.
	if err := a.closeSession(r.Context(), id, dcvix.Username(r.URL.Query().Get("owner"))); err != nil {
		a.failed(r, w, err)
		return
	}
	answer(w, http.StatusOK, struct{}{})
}

// failed answers with the status and the sentence for an error of dcv.
func (a *Agent) failed(r *http.Request, w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, dcvcli.ErrNotFound):
		refuse(w, http.StatusNotFound, "There is no such session on this host.")
		return
	case errors.Is(err, dcvcli.ErrExists):
		status = http.StatusConflict
	case errors.Is(err, dcvcli.ErrUnsupported), errors.Is(err, dcvcli.ErrInvalid):
		status = http.StatusBadRequest
	}
	a.cfg.Logger.WarnContext(r.Context(), "a call of the director failed",
		slog.String("method", r.Method), slog.String("path", clean(r.URL.Path)), slog.String("reason", clean(err.Error())))
	refuse(w, status, "DCV on this host: "+clean(err.Error())+".")
}

// refuse answers with one sentence: clients show it to a person.
func refuse(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, sentence+"\n") //nolint:gosec // plain text, said so above, for a program; a caller that is gone is no matter of ours
}

// answer writes JSON.
func answer[T any](w http.ResponseWriter, status int, body T) { // any: every message of the protocol
	out, err := json.Marshal(body)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "The answer cannot be written.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(out) // as in refuse
}
