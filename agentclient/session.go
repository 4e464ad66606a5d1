package agentclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/dcvcli"
)

// readCreate reads and checks the director's wish for a session. A type is taken
// without regard to case.
func readCreate(body io.Reader) (dcvix.AgentCreateSession, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return dcvix.AgentCreateSession{}, fmt.Errorf("the request was cut off: %w", err)
	}
	var asked dcvix.AgentCreateSession
	if err := json.Unmarshal(raw, &asked); err != nil {
		return dcvix.AgentCreateSession{}, errors.New("the request is not the JSON of a session")
	}
	if asked.SessionType, err = dcvix.ParseSessionType(string(asked.SessionType)); err != nil {
		return dcvix.AgentCreateSession{}, fmt.Errorf("sessionType: %w", err)
	}
	if err := asked.UserID.Validate(); err != nil {
		return dcvix.AgentCreateSession{}, fmt.Errorf("userId: %w", err)
	}
	if err := asked.SessionID.Validate(); err != nil {
		return dcvix.AgentCreateSession{}, fmt.Errorf("sessionId: %w", err)
	}
	return asked, nil
}

// turn waits until no other session is created or closed. The function it
// returns ends the turn.
func (a *Agent) turn(ctx context.Context) (func(), error) {
	select {
	case a.creating <- struct{}{}:
		return func() { <-a.creating }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another session to be created or closed: %w", ctx.Err())
	}
}

// change returns a context for an act on sessions. A caller that goes away does
// not cut it off: dcv killed half-way leaves things that nobody knows, while a
// session that was created finds its user when the director asks again.
func change(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
}

// create returns the session of that owner and type, and creates it when there
// is none.
func (a *Agent) create(ctx context.Context, asked dcvix.AgentCreateSession) (dcvix.SessionID, error) {
	done, err := a.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	ctx, cancel := change(ctx)
	defer cancel()
	listed, err := a.list(ctx)
	if err != nil && !partial(err) { // what has no id is nobody's session
		return "", fmt.Errorf("create session: %w", err)
	}
	for _, s := range listed {
		id := dcvix.SessionID(s.ID)
		if s.Owner == string(asked.UserID) && s.Type == string(asked.SessionType) && id.Validate() == nil {
			a.awaited(s.ID)
			return id, nil
		}
	}
	if err := a.start(ctx, asked, listed); err != nil {
		return "", err
	}
	a.cfg.Logger.InfoContext(ctx, "session created", slog.String("session_id", string(asked.SessionID)),
		slog.String("owner", string(asked.UserID)), slog.String("type", string(asked.SessionType)))
	return asked.SessionID, nil
}

// start creates a session on a host that lists those sessions, and sees whether
// it lasts. The record has it before it can exist, so that it is known as ours
// whoever is killed when.
func (a *Agent) start(ctx context.Context, asked dcvix.AgentCreateSession, listed []dcvcli.Session) error {
	if hasSession(listed, asked.SessionID) {
		return fmt.Errorf("create session %q: %w", asked.SessionID, dcvcli.ErrExists)
	}
	if err := a.record.begin(asked); err != nil {
		a.problem(func(s *standing) { s.record = sentence(err) })
	}
	opts := dcvcli.CreateOptions{ID: string(asked.SessionID), Type: string(asked.SessionType), Owner: string(asked.UserID)}
	if asked.SessionType == dcvix.SessionVirtual {
		opts.User = string(asked.UserID)
	}
	err := a.cfg.DCV.Create(ctx, opts)
	if err == nil {
		err = a.lasts(ctx, asked)
	}
	a.record.end(asked.SessionID, err == nil)
	if err != nil {
		a.due() // it may have left something
	}
	return err
}

// The moments after a creation at which the agent looks whether a virtual desktop
// is still there: dcv succeeds for one that crashes as it starts (Administrator
// Guide, "Troubleshooting virtual session creation on Linux").
const (
	firstCrashLook  = 200 * time.Millisecond
	secondCrashLook = 800 * time.Millisecond // after the first
)

// errCrashed says that a desktop ended as it began.
var errCrashed = errors.New("the session ended right after it was created, as when its desktop crashes: see ~/.xsession-errors of the user and the log of the DCV server")

// lasts returns errCrashed when a session that was just created is gone. A list
// that fails proves nothing.
func (a *Agent) lasts(ctx context.Context, asked dcvix.AgentCreateSession) error {
	pauses := []time.Duration{firstCrashLook, secondCrashLook}
	if asked.SessionType != dcvix.SessionVirtual {
		pauses = []time.Duration{0} // only to learn when it was created
	}
	for _, pause := range pauses {
		_ = sleep(ctx, pause) // a list of an ended ctx fails
		if listed, err := a.list(ctx); err == nil && !hasSession(listed, asked.SessionID) {
			return fmt.Errorf("create session %q: %w", asked.SessionID, errCrashed)
		}
	}
	return nil
}

func hasSession(listed []dcvcli.Session, id dcvix.SessionID) bool {
	return slices.ContainsFunc(listed, func(s dcvcli.Session) bool { return s.ID == string(id) })
}

// closeSession closes a session. The error wraps [dcvcli.ErrNotFound] when there
// is none of that id, or, with an owner, when it is somebody else's by now: ids
// such as "console" come back, and the director may not know it yet.
func (a *Agent) closeSession(ctx context.Context, id dcvix.SessionID, owner dcvix.Username) error {
	done, err := a.turn(ctx)
	if err != nil {
		return err
	}
	defer done()
	ctx, cancel := change(ctx)
	defer cancel()
	if err := a.owns(ctx, owner, id); err != nil {
		return err
	}
	err = a.cfg.DCV.Close(ctx, string(id))
	a.due()
	if err != nil {
		return err
	}
	a.cfg.Logger.InfoContext(ctx, "session closed", slog.String("session_id", string(id)))
	return nil
}

// owns returns nil when the session is the owner's, or none is named.
func (a *Agent) owns(ctx context.Context, owner dcvix.Username, id dcvix.SessionID) error {
	if owner == "" {
		return nil
	}
	listed, err := a.list(ctx)
	switch {
	case slices.ContainsFunc(listed, func(s dcvcli.Session) bool { return s.ID == string(id) && s.Owner == string(owner) }):
		return nil
	case err != nil:
		return fmt.Errorf("close session %s: %w", id, err)
	default:
		return fmt.Errorf("session %s of %s: %w", id, owner, dcvcli.ErrNotFound)
	}
}
