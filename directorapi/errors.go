package directorapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// What goes wrong at the edge itself.
var (
	errNoLogin     = errors.New("no good login")
	errBadLogin    = errors.New("login refused")
	errNoAdmin     = errors.New("not an admin")
	errNoAgent     = errors.New("no registered agent")
	errCrossOrigin = errors.New("request of another site's page")
	errTooLarge    = errors.New("request body over the limit")
	errCSRName     = errors.New("the request names another agent")
	errNoGateway   = errors.New("not the address of a gateway")
	errNoSession   = errors.New("no such session for the gateway")
	errBadToken    = errors.New("the connection token is not accepted")
	errElsewhere   = errors.New("the token is for another host than the one that asks")
	errNotTheirs   = errors.New("the policy gives the user no such pool")
	errNoAudit     = errors.New("no audit is kept")
	errStreams     = errors.New("too many streams of events")
	errNoRecord    = errors.New("the act is not on record")
)

// A fault is how an error is told.
type fault struct {
	status int
	code   dcvix.ErrorCode
	detail string // one sentence that can be shown to a person
}

// faultOf is the one place where an error becomes a status and a sentence. An
// error that is not in the table is the operator's business: the client is told
// 500 and where to look.
func faultOf(err error) fault {
	if errors.Is(err, errNoRecord) {
		return fault{http.StatusInternalServerError, dcvix.CodeInternal, "The director could not put this on record: its log says why, under the request id."}
	}
	if detail := (*malformedError)(nil); errors.As(err, &detail) {
		return fault{http.StatusBadRequest, dcvix.CodeBadRequest, detail.sentence}
	}
	if errors.As(err, new(*secondStepError)) {
		return fault{http.StatusUnauthorized, dcvix.CodeOTPRequired, "The login service asks for a second step."}
	}
	if taken := (*session.NameTakenError)(nil); errors.As(err, &taken) {
		return nameTaken(taken)
	}
	if drained := (*session.MaintenanceError)(nil); errors.As(err, &drained) {
		return fault{http.StatusConflict, dcvix.CodeConflict, drained.Sentence()}
	}
	if full := (*session.NoCapacityError)(nil); errors.As(err, &full) {
		return fault{http.StatusConflict, dcvix.CodeConflict, "No host of the pool is free (" + full.Reasons() + "): try again later."}
	}
	if early := (*auth.ThrottledError)(nil); errors.As(err, &early) {
		detail := fmt.Sprintf("Too many logins failed: wait %d s, then try again.", seconds(early.RetryAfter))
		return fault{http.StatusTooManyRequests, dcvix.CodeTooMany, detail}
	}
	if he := (*echo.HTTPError)(nil); errors.As(err, &he) {
		return routerFault(he.Code)
	}
	for _, row := range table() {
		if errors.Is(err, row.err) {
			return row.fault
		}
	}
	return fault{http.StatusInternalServerError, dcvix.CodeInternal, "The director could not do this: its log says why, under the request id."}
}

// nameTaken shows an admin, who alone gets to see it, both agents.
func nameTaken(e *session.NameTakenError) fault {
	const form = "2006-01-02 15:04 MST"
	seen := func(a session.Agent) string {
		if a.LastSeenAt.IsZero() {
			return "never seen, known since " + a.CreatedAt.UTC().Format(form)
		}
		return "last seen " + a.LastSeenAt.UTC().Format(form)
	}
	return fault{http.StatusConflict, dcvix.CodeConflict, fmt.Sprintf("The registered agent %s has this name (key %s, %s), and this one is another (key %s, %s): "+
		"compare both, then approve with replace, or revoke one.",
		e.Holds.Hostname, ca.Fingerprint(e.Holds.KeyHash), seen(e.Holds), ca.Fingerprint(e.Asks.KeyHash), seen(e.Asks))}
}

type row struct {
	err error
	fault
}

// table is searched from the top, so the particular comes before the general.
func table() []row {
	return []row{
		{errBadLogin, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "The user name, the password or the code is wrong."}},
		{auth.ErrInvalidCredentials, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "The user name, the password or the code is wrong."}},
		{auth.ErrUnavailable, fault{http.StatusServiceUnavailable, dcvix.CodeUnavailable, "The login service cannot be reached: try again in a moment, or ask your admin."}},
		{errNoLogin, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "Log in first."}},
		{errNoAdmin, fault{http.StatusForbidden, dcvix.CodeForbidden, "This needs a login as admin."}},
		{errNoAgent, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "This needs the certificate of a registered agent."}},
		{errCrossOrigin, fault{http.StatusForbidden, dcvix.CodeForbidden, "The request came from a page of another site."}},
		{errTwoOrigins, fault{http.StatusBadRequest, dcvix.CodeBadRequest, "The request says in two ways where it comes from: " +
			"have the proxy in front set or remove both X-Forwarded-For and Forwarded."}},
		{errNoGateway, fault{http.StatusForbidden, dcvix.CodeForbidden, "This is for connection gateways: an admin lists their addresses in gateways_list."}},
		{errNoSession, fault{http.StatusNotFound, dcvix.CodeNotFound, "There is no such session."}},
		{errElsewhere, fault{http.StatusForbidden, dcvix.CodeForbidden, "The token is for another host than the one that asks."}},
		{errBadToken, fault{http.StatusForbidden, dcvix.CodeForbidden, "The token is not accepted."}},
		{errNotTheirs, fault{http.StatusNotFound, dcvix.CodeNotFound, "The policy gives this user no pool of this id: say one that it gives, or the groups of the user's login."}},
		{errNoAudit, fault{http.StatusNotFound, dcvix.CodeNotFound, "This director keeps no audit."}},
		{errStreams, fault{http.StatusTooManyRequests, dcvix.CodeTooMany, "Too many streams of events are open: close a page, or try again in a minute."}},
		{errTooLarge, fault{http.StatusRequestEntityTooLarge, dcvix.CodeTooLarge, "The request is too large."}},
		{errCSRName, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "The certificate request names another agent than the GUID."}},

		{ca.ErrWeakKey, fault{http.StatusBadRequest, dcvix.CodeBadRequest, "The key is not accepted: use Ed25519, ECDSA P-256 or RSA 2048."}},
		{ca.ErrBadCSR, fault{http.StatusBadRequest, dcvix.CodeBadRequest, "The certificate request is not well formed or its signature does not verify."}},
		{session.ErrRevoked, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "This agent is revoked: an admin can reactivate it."}},
		{session.ErrKeyMismatch, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "Another key is known under this GUID: an admin sees both, and a new GUID lets this host ask anew."}},
		{session.ErrBadToken, fault{http.StatusUnauthorized, dcvix.CodeUnauthenticated, "The registration token is wrong or missing."}},
		{session.ErrTooMany, fault{http.StatusTooManyRequests, dcvix.CodeTooMany, "Too many new agents ask: an admin has to approve or deny some, or an hour has to pass."}},

		{session.ErrWrongState, fault{http.StatusNotFound, dcvix.CodeNotFound, "The agent is not in a state for this: look at the list again."}},
		{session.ErrNameTaken, fault{http.StatusConflict, dcvix.CodeConflict, "Another registered agent has this host name: compare both, then approve with replace, or revoke one."}},
		{session.ErrNameReserved, fault{http.StatusConflict, dcvix.CodeConflict, "This host name is the director's own: give the host another one."}},
		{session.ErrNoKey, fault{http.StatusConflict, dcvix.CodeConflict, "This agent's key is not known, so it stays revoked: let the host ask anew under a new GUID."}},
		{session.ErrConsoleTaken, fault{http.StatusConflict, dcvix.CodeConflict, "The host's console is in use by somebody else: try another host."}},
		{session.ErrOtherType, fault{http.StatusConflict, dcvix.CodeConflict, "The host runs sessions of the other type: try that type or another host."}},
		{session.ErrIDTaken, fault{http.StatusConflict, dcvix.CodeConflict, "The host has a session of this id: choose another."}},
		{session.ErrNoVirtual, fault{http.StatusConflict, dcvix.CodeConflict, "The host has no virtual sessions: ask for a console."}},
		{session.ErrClosing, fault{http.StatusConflict, dcvix.CodeConflict, "The session is just being closed: try again in a moment."}},
		{session.ErrAmbiguous, fault{http.StatusConflict, dcvix.CodeConflict, "Several hosts have a session of this id: say which with serverId."}},
		{session.ErrNoCapacity, fault{http.StatusConflict, dcvix.CodeConflict, "No host is free: try again later."}},
		{session.ErrConflict, fault{http.StatusConflict, dcvix.CodeConflict, "This is not possible as things are: look again and retry."}},
		{session.ErrInvalid, fault{http.StatusBadRequest, dcvix.CodeBadRequest, "A name in the request is not well formed."}},
		{session.ErrForbidden, fault{http.StatusForbidden, dcvix.CodeForbidden, "You may not use this, or it does not exist."}},
		{session.ErrNotFound, fault{http.StatusNotFound, dcvix.CodeNotFound, "There is no such thing here."}},
		{session.ErrAgentTimeout, fault{http.StatusGatewayTimeout, dcvix.CodeAgentTimeout, "The host did not answer in time: try again, or tell your admin."}},
		{session.ErrAgentFailed, fault{http.StatusBadGateway, dcvix.CodeAgentFailed, "The host could not do it: try again, or tell your admin."}},
		{context.Canceled, fault{499, dcvix.CodeUnavailable, "The client went away."}},
		{context.DeadlineExceeded, fault{http.StatusGatewayTimeout, dcvix.CodeUnavailable, "This took too long: try again."}},
	}
}

func routerFault(status int) fault {
	switch status {
	case http.StatusNotFound:
		return fault{status, dcvix.CodeNotFound, "There is nothing at this address."}
	case http.StatusMethodNotAllowed:
		return fault{status, dcvix.CodeMethodNotAllowed, "This address does not take this method."}
	}
	return fault{http.StatusBadRequest, dcvix.CodeBadRequest, "The request is not understood."}
}

// A malformedError says in words what is wrong with a request.
type malformedError struct{ sentence string }

func malformed(format string, args ...any) error { // any: as package fmt
	return &malformedError{fmt.Sprintf(format, args...)}
}

func (e *malformedError) Error() string { return e.sentence }

// writeError tells an error to the client: one sentence of plain text, as clients
// of the 0.1 generation show it to a person, or a problem for those that accept
// JSON.
func (s *Server) writeError(err error, c echo.Context) {
	f := faultOf(err)
	id, _ := c.Get(keyRequestID).(string)
	s.logError(c, f, err)
	if c.Response().Committed {
		return
	}
	header := c.Response().Header()
	header.Set("Cache-Control", "no-store")
	switch f.status {
	case http.StatusTooManyRequests:
		header.Set("Retry-After", strconv.Itoa(retryAfter(err)))
	case http.StatusRequestEntityTooLarge:
		header.Set("Connection", "close")
	case http.StatusMethodNotAllowed:
		if allow, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
			header.Set("Allow", allow)
		}
	}
	if !acceptsJSON(c.Request()) {
		_ = c.String(f.status, f.detail) // the client may be gone
		return
	}
	header.Set("Content-Type", "application/problem+json")
	problem := dcvix.Problem{
		Type: dcvix.ProblemTypePrefix + string(f.code), Title: http.StatusText(f.status),
		Status: f.status, Detail: f.detail, Instance: id,
	}
	if step := (*secondStepError)(nil); errors.As(err, &step) {
		problem.Prompt, problem.Challenge = step.prompt, step.challenge
	}
	_ = c.JSON(f.status, problem) // the client may be gone
}

// retryAfter returns after how many seconds it is worth trying again.
func retryAfter(err error) int {
	if early := (*auth.ThrottledError)(nil); errors.As(err, &early) {
		return seconds(early.RetryAfter)
	}
	return 60
}

// seconds rounds up, so that nobody comes too early.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func (s *Server) logError(c echo.Context, f fault, err error) {
	level := levelOf(c, slog.LevelInfo)
	if f.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	id, _ := c.Get(keyRequestID).(string)
	s.cfg.Logger.LogAttrs(c.Request().Context(), level, "request refused", slog.String("request_id", id),
		slog.Int("status", f.status), slog.String("method", c.Request().Method), slog.String("path", c.Request().URL.Path),
		slog.String("address", c.RealIP()), slog.Any("err", err))
}

func acceptsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/problem+json") || strings.Contains(accept, "application/json")
}
