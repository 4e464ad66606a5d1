package launchercmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A Wish names the desktop that a person wants.
type Wish struct {
	Name string            // of a host or a pool
	Kind dcvix.DesktopKind // empty means what the person's list has under that name, else a host
	Type dcvix.SessionType // empty means that of the session that runs there, else what [Preferences] prefer, else what can be had

	Progress func(Step) // is told each step; nil means that of EngineConfig; may be called from several goroutines
}

// Connect opens a desktop in the viewer and returns when the viewer has ended. The
// step [StageRuns] says that the viewer runs. When ctx ends, the viewer is ended too
// and the error is that of ctx. With [Preferences].Link it returns when the link was
// handed over.
func (e *Engine) Connect(ctx context.Context, wish Wish) error {
	if wish.Progress == nil {
		wish.Progress = e.cfg.Progress
	}
	if err := checkName(wish.Kind, wish.Name, e.words()); err != nil {
		return err
	}
	director, err := e.current()
	if err != nil {
		return err
	}
	prefs := e.Preferences()
	start, err := e.viewerFor(prefs) // before a session is started that nobody can look at
	if err != nil {
		return err
	}
	if wish, err = e.complete(ctx, wish, prefs); err != nil {
		return err
	}
	t, err := e.open(ctx, director, wish, prefs)
	if err != nil {
		return ended(err)
	}
	e.remember(ctx, wish)
	wish.tell(StageStart, e.words().Say(words.StartingViewer))
	e.cfg.Logger.DebugContext(ctx, "starting the viewer", slog.String("desktop", wish.Name), slog.String("session", string(t.session)))
	return start(ctx, t, wish)
}

func (w Wish) tell(stage Stage, text string) { w.Progress(Step{stage, text}) }

// complete fills in what the wish leaves open.
func (e *Engine) complete(ctx context.Context, wish Wish, prefs Preferences) (Wish, error) {
	if wish.Kind != "" && wish.Type != "" {
		return wish, nil
	}
	list, err := e.Desktops(ctx)
	if err != nil {
		return wish, err
	}
	d, found := list.find(wish.Kind, wish.Name)
	if !found {
		d = Desktop{}
	}
	wish.Kind = cmp.Or(wish.Kind, d.Kind, dcvix.DesktopHost)
	if found {
		wish.Name = d.Name
	}
	if wish.Type == "" {
		wish.Type = pick(d, prefs.Type)
	}
	return wish, checkName(wish.Kind, wish.Name, e.words())
}

// pick chooses a type of session: one that runs, else the preferred one if it can be
// had, else what can be.
func pick(d Desktop, preferred dcvix.SessionType) dcvix.SessionType {
	preferred = cmp.Or(preferred, dcvix.SessionConsole)
	var running []dcvix.SessionType
	for _, s := range d.Sessions {
		running = append(running, s.Type)
	}
	for _, types := range [][]dcvix.SessionType{running, d.Types} {
		if len(types) > 0 && !slices.Contains(types, preferred) {
			return types[0]
		}
		if len(types) > 0 {
			return preferred
		}
	}
	return preferred
}

// open asks for a session and for what the viewer needs to get to it.
func (e *Engine) open(ctx context.Context, director *client.Client, wish Wish, prefs Preferences) (target, error) {
	w := e.words()
	e.mu.Lock()
	user := e.user
	e.mu.Unlock()
	req := dcvix.CreateSessionRequest{SessionType: capitalised(wish.Type), UserID: user}
	if wish.Kind == dcvix.DesktopPool {
		req.PoolID = wish.Name
	} else {
		req.ServerID = wish.Name
	}
	wish.tell(StageAsk, w.Say(words.Asking, show(wish.Name), w.Say(typeWord(wish.Type))))
	answered := whenLong(func() { wish.tell(StageAsk, w.Say(words.StillAsking, show(wish.Name))) })
	created, err := director.CreateSession(ctx, req)
	answered()
	if err != nil {
		if created, err = e.running(ctx, wish, err); err != nil {
			return target{}, err
		}
	}
	on := cmp.Or(string(created.ServerID), wish.Name)
	if created.Reused {
		wish.tell(StageReady, w.Say(words.Reusing, show(on)))
	} else {
		wish.tell(StageReady, w.Say(words.Ready, show(on)))
	}
	if err := e.setQuality(ctx, director, on, wish, prefs); err != nil {
		return target{}, err
	}
	wish.tell(StageKey, w.Say(words.FetchingKey))
	token, err := director.ConnectionToken(ctx, created.SessionID, on)
	if err != nil {
		return target{}, err
	}
	return target{
		host:    cmp.Or(string(token.Host), on),
		port:    cmp.Or(token.Port, 8443),
		path:    token.WebURLPath,
		session: cmp.Or(token.SessionID, created.SessionID),
		token:   token.Token,
		user:    user,
		prefs:   prefs,
	}, nil
}

// running returns the person's session that a wish means when the director refuses to
// open the desktop, as it does when the policy gives it no longer: the session can be
// gone back to all the same. It returns the refusal when there is none.
func (e *Engine) running(ctx context.Context, wish Wish, refusal error) (dcvix.CreateSessionResponse, error) {
	var r *dcvix.Error
	if !errors.As(refusal, &r) || r.Status != http.StatusForbidden {
		return dcvix.CreateSessionResponse{}, refusal
	}
	list, err := e.Desktops(ctx)
	if err != nil {
		return dcvix.CreateSessionResponse{}, refusal
	}
	d, _ := list.find(wish.Kind, wish.Name)
	for _, s := range d.Sessions {
		if s.Type == wish.Type {
			return dcvix.CreateSessionResponse{SessionID: s.ID, ServerID: s.Server, SessionType: s.Type, Reused: true}, nil
		}
	}
	return dcvix.CreateSessionResponse{}, refusal
}

// setQuality asks for the picture quality that the person prefers. That it is refused
// stops nobody; err is that of a ctx that ended.
func (e *Engine) setQuality(ctx context.Context, director *client.Client, server string, wish Wish, prefs Preferences) error {
	if prefs.QualityMax == 0 {
		return nil
	}
	w := e.words()
	wish.tell(StageQuality, w.Say(words.SendingQuality, prefs.QualityMin, prefs.QualityMax))
	quality := dcvix.Setting{Section: "display", Key: "quality", Value: fmt.Sprintf("(%d, %d)", prefs.QualityMin, prefs.QualityMax)}
	err := director.SetConfig(ctx, server, quality)
	if err != nil && ctx.Err() == nil {
		wish.tell(StageQuality, w.Say(words.QualityRefused, err))
		return nil
	}
	return err
}

// capitalised is how launchers of the 0.1 generation write it; every director
// reads that.
func capitalised(kind dcvix.SessionType) string {
	if kind == dcvix.SessionVirtual {
		return "Virtual"
	}
	return "Console"
}

func typeWord(kind dcvix.SessionType) words.Key {
	if kind == dcvix.SessionVirtual {
		return words.TypeVirtual
	}
	return words.TypeConsole
}

// remember notes that a desktop was opened. That this fails stops nobody.
func (e *Engine) remember(ctx context.Context, wish Wish) {
	url := e.URL()
	err := e.memory.change(func(r *remembered) { r.of(url).used(key(wish.Kind, wish.Name), time.Now()) })
	if err != nil {
		e.cfg.Logger.WarnContext(ctx, "the last use of a desktop is not remembered", slog.Any("err", err))
	}
}

// Close closes the person's sessions on a desktop and returns their ids. An empty
// kind means of any type. An error may come after some were closed.
func (e *Engine) Close(ctx context.Context, name string, kind dcvix.SessionType) ([]dcvix.SessionID, error) {
	w := e.words()
	if err := checkName("", name, w); err != nil {
		return nil, err
	}
	sessions, err := e.sessionsOn(ctx, name)
	if err != nil {
		return nil, err
	}
	var closed []dcvix.SessionID
	for _, s := range sessions {
		if kind != "" && s.Type != kind {
			continue
		}
		if err := e.CloseSession(ctx, s); err != nil {
			return closed, err
		}
		closed = append(closed, s.ID)
	}
	if len(closed) == 0 {
		return nil, &saidError{text: w.Say(words.NothingToClose, show(name))}
	}
	return closed, nil
}

// sessionsOn returns the person's sessions on a desktop of the list, or on any other
// host of that name.
func (e *Engine) sessionsOn(ctx context.Context, name string) ([]DesktopSession, error) {
	list, err := e.Desktops(ctx)
	if err != nil {
		return nil, err
	}
	if list.Plain {
		return nil, &saidError{e.words().Say(words.TooOldToClose), errors.ErrUnsupported}
	}
	if d, ok := list.find("", name); ok {
		return d.Sessions, nil
	}
	director, err := e.current()
	if err != nil {
		return nil, err
	}
	all, err := director.UserSessions(ctx)
	if err != nil {
		return nil, ended(err)
	}
	return sessionsOf(slices.DeleteFunc(all, func(s dcvix.Session) bool { return !sameHost(name, string(s.ServerID)) })), nil
}

// CloseSession closes one session of the person: what runs in it is lost. One that
// is gone already is no error.
func (e *Engine) CloseSession(ctx context.Context, s DesktopSession) error {
	director, err := e.current()
	if err != nil {
		return err
	}
	e.cfg.Progress(Step{StageClose, e.words().Say(words.Closing, show(string(s.ID)), show(string(s.Server)))})
	err = director.CloseSession(ctx, s.ID, string(s.Server))
	var refusal *dcvix.Error
	if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound {
		return nil
	}
	return ended(err)
}
