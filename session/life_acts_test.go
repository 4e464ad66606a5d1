package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func (l *life) openHost() {
	who := as(l.someone())
	if l.rng.IntN(4) == 0 {
		who = admin
	}
	req := session.OpenRequest{Owner: who.User, Server: string(pick(l.rng, l.hosts).Hostname), Type: l.someKind()}
	if who.Admin {
		req.Owner = l.someone()
		if l.rng.IntN(2) == 0 {
			req.ID = dcvix.SessionID(fmt.Sprintf("job%d", l.rng.IntN(3)))
		}
	}
	l.open(who, req)
}

func (l *life) openPool() {
	who := l.someone()
	l.open(as(who), session.OpenRequest{Owner: who, Pool: "cad", Type: l.someKind()})
}

// open is somebody who asks for a session and may not wait for the answer.
func (l *life) open(who session.Actor, req session.OpenRequest) {
	patience := time.Duration(l.rng.IntN(90)) * time.Second
	broker := l.d.Broker
	before := l.allowedDrain(req)
	l.mu.Lock()
	epoch, policy := l.epoch, l.policy
	l.mu.Unlock()
	l.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), patience)
		defer cancel()
		l.note("%s asks for %s of %s on %s%s %s", who.User, req.Type, req.Owner, req.Server, req.Pool, req.ID)
		got, err := broker.Open(ctx, who, req)
		l.note("%s got %v: %v", who.User, got, err)
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			l.counts["refused: "+reasonOf(err)]++
			return
		}
		l.counts["opened"]++
		key := at(got.Server, got.ID)
		l.own(key, req.Owner)
		if epoch != l.epoch {
			return // by a director that is no more
		}
		if policy == 1 && l.policy == 1 && who.User == "u4" {
			l.isWrong("u4 got %s, which the policy does not give", key)
		}
		if got.Reused || !unique(got.ID) || l.ended[key] {
			return
		}
		if before && l.drainedNow(got.Server) {
			l.isWrong("%s got %s on a drained host", req.Owner, key)
		}
		for other, g := range l.granted {
			if host, _, _ := strings.Cut(other, " "); host != string(got.Server) || g.owner == req.Owner {
				continue
			}
			if g.kind == dcvix.SessionConsole || req.Type == dcvix.SessionConsole {
				l.isWrong("%s got %s %s while %s has %s %s", req.Owner, req.Type, key, g.owner, g.kind, other)
			}
		}
		l.granted[key] = grantedDesktop{req.Owner, req.Type}
	})
}

// allowedDrain says whether all hosts that a request may end on are drained now; if
// they still are when it is answered, nothing new may have come of it.
func (l *life) allowedDrain(req session.OpenRequest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.hosts {
		if (req.Pool != "" || req.Server == string(a.Hostname)) && !l.drained[a.ID] {
			return false
		}
	}
	return true
}

func (l *life) drainedNow(host dcvix.Hostname) bool {
	i := slices.IndexFunc(l.hosts, func(a session.Agent) bool { return a.Hostname == host })
	return l.drained[l.hosts[i].ID]
}

// unique says whether the director made the id, so that it never comes back.
func unique(id dcvix.SessionID) bool { return strings.HasPrefix(string(id), "dcvix_") }

func (l *life) own(key string, owner dcvix.Username) {
	if l.owners[key] == nil {
		l.owners[key] = make(map[dcvix.Username]bool)
	}
	l.owners[key][owner] = true
}

func reasonOf(err error) string {
	for _, known := range []error{
		session.ErrForbidden, session.ErrMaintenance, session.ErrConsoleTaken, session.ErrOtherType, session.ErrIDTaken, session.ErrClosing,
		session.ErrNoCapacity, session.ErrAgentFailed, session.ErrAgentTimeout, session.ErrNotFound, session.ErrConflict,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// close is somebody who wants a session closed: its owner, an admin, or another.
func (l *life) close() {
	all := l.d.Sessions()
	if len(all) == 0 {
		return
	}
	s := pick(l.rng, all)
	who := pick(l.rng, []session.Actor{as(s.Owner), as(l.someone()), admin, admin})
	broker, key := l.d.Broker, at(s.ServerID, s.ID)
	l.mu.Lock()
	epoch := l.epoch
	l.closes[key+string(s.Owner)] = time.Now()
	if who.Admin || who.User == s.Owner { // whatever comes of it: the host may do it late
		l.ended[key] = true
		delete(l.granted, key)
	}
	l.mu.Unlock()
	l.tasks.Go(func() {
		l.note("%s wants %s of %s closed", who.User, key, s.Owner)
		err := broker.Close(context.WithoutCancel(l.t.Context()), who, s.ID, string(s.ServerID))
		l.note("%s heard of %s: %v", who.User, key, err)
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case err != nil:
			l.counts["not closed: "+reasonOf(err)]++
			return
		case !who.Admin && who.User != s.Owner && !l.owners[key][who.User]:
			l.isWrong("%s closed %s of %s", who.User, key, s.Owner)
		}
		l.counts["closed"]++
		l.gone[key] = epoch == l.epoch && unique(s.ID)
	})
}

// report is the agent of a host that says how it is.
func (l *life) report() {
	a := pick(l.rng, l.hosts)
	l.mu.Lock()
	delete(l.late, a.ID) // agents do not overtake themselves
	l.mu.Unlock()
	now := l.d.agents.Update(a)
	l.deliver(a, now)
	l.seesAll(a, now.Sessions)
}

func (l *life) deliver(a session.Agent, update dcvix.AgentUpdate) {
	l.mu.Lock()
	for _, s := range update.Sessions {
		l.own(at(a.Hostname, s.ID), s.Owner)
	}
	l.mu.Unlock()
	require.NoError(l.t, l.d.Report(l.t.Context(), a, "10.0.0.1", update))
}

// A captured report is under way.
type captured struct {
	update dcvix.AgentUpdate
	at     time.Time
	asked  int // how often the director had asked for one: an answer does not overtake it either
}

// lateReport is one that comes after things happened that it does not know.
func (l *life) lateReport() {
	for _, a := range l.hosts {
		l.mu.Lock()
		late, there := l.late[a.ID]
		delete(l.late, a.ID)
		l.mu.Unlock()
		switch {
		case there && time.Since(late.at) < 25*time.Second && late.asked == l.d.agents.Calls(a.ID).Report:
			l.deliver(a, late.update)
		case l.rng.IntN(2) == 0:
			l.mu.Lock()
			l.late[a.ID] = captured{l.d.agents.Update(a), time.Now(), l.d.agents.Calls(a.ID).Report}
			l.mu.Unlock()
		}
	}
}

// seesAll checks what a host has just said: what nobody of ours ends or ended is
// shown, as whose it is.
func (l *life) seesAll(a session.Agent, said []dcvix.Session) {
	shown := make(map[dcvix.SessionID]dcvix.Session)
	for _, h := range l.d.Hosts() {
		if h.Agent == a.ID {
			for _, s := range h.Sessions {
				shown[s.ID] = s
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range said {
		key := at(a.Hostname, s.ID)
		if unique(s.ID) || s.Owner == "dave" || s.Owner == "Administrator" || time.Since(l.closes[key+string(s.Owner)]) < 70*time.Second {
			continue
		}
		if got := shown[s.ID]; got.Owner != s.Owner && got.Status != dcvix.StatusCreating {
			l.isWrong("%s of %s was reported and is shown as of %q", key, s.Owner, got.Owner)
		}
	}
}

// locally is somebody at the host, who needs no agent.
func (l *life) locally() {
	a := pick(l.rng, l.hosts)
	l.d.agents.Change(a.ID, func(sessions []dcvix.Session) []dcvix.Session {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(sessions) > 0 && l.rng.IntN(2) == 0 {
			i := l.rng.IntN(len(sessions))
			delete(l.granted, at(a.Hostname, sessions[i].ID))
			return slices.Delete(sessions, i, i+1)
		}
		s := dcvix.Session{
			ID: pick(l.rng, []dcvix.SessionID{"console", "job1", "by hand!"}), Type: l.someKind(), Status: "created",
			Owner: pick(l.rng, []dcvix.Username{"u1", "u2", "dave", "Administrator"}),
		}
		for _, other := range sessions {
			if other.ID == s.ID || other.Type != s.Type || s.Type == dcvix.SessionConsole {
				return sessions
			}
		}
		l.own(at(a.Hostname, s.ID), s.Owner)
		return append(sessions, s)
	})
}

func (l *life) clients() {
	l.d.agents.Change(pick(l.rng, l.hosts).ID, func(sessions []dcvix.Session) []dcvix.Session {
		if len(sessions) > 0 {
			sessions[l.rng.IntN(len(sessions))].NumOfConnections = l.rng.IntN(2)
		}
		return sessions
	})
}

func (l *life) behave() {
	how := pick(l.rng, []sessiontest.Behaviour{
		{},
		{},
		{Delay: time.Second},
		{Delay: 14 * time.Second},
		{Delay: 20 * time.Second, Late: true},
		{Err: errors.New("dcv: no licence")},
		{Hang: true},
		{Hang: true, Late: true},
	})
	l.d.agents.Behave(pick(l.rng, l.hosts).ID, how)
}

func (l *life) drain() {
	a := pick(l.rng, l.hosts)
	on := l.rng.IntN(2) == 0
	l.mu.Lock()
	delete(l.drained, a.ID) // what is under way is not judged
	l.mu.Unlock()
	if !on {
		require.NoError(l.t, l.d.Undrain(l.t.Context(), admin, string(a.Hostname)))
		return
	}
	require.NoError(l.t, l.d.Drain(l.t.Context(), admin, string(a.Hostname), "new disk"))
	l.mu.Lock()
	l.drained[a.ID] = true
	l.mu.Unlock()
}

// restart kills the director. What it had asked of agents goes on there.
func (l *life) restart() {
	l.note("restart")
	l.stop()
	l.mu.Lock()
	l.epoch++
	clear(l.passing)
	clear(l.granted) // only what this director answered is its to keep apart
	clear(l.gone)
	clear(l.late)
	l.mu.Unlock()
	l.start()
}

// verify asks as a DCV server does, for right and wrong pairs.
func (l *life) verify() {
	all := l.d.Sessions()
	if len(all) == 0 {
		return
	}
	s, other := pick(l.rng, all), pick(l.rng, all)
	who := pick(l.rng, []dcvix.Username{s.Owner, other.Owner, l.someone()})
	host := pick(l.rng, []dcvix.Hostname{s.ServerID, other.ServerID})
	yes := l.d.Verify(l.t.Context(), who, s.ID, host)
	i := slices.IndexFunc(l.hosts, func(a session.Agent) bool { return a.Hostname == host })
	there := l.d.agents.Sessions(l.hosts[i].ID) // the director may have asked the host itself
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range there {
		l.own(at(host, s.ID), s.Owner)
	}
	l.counts[fmt.Sprintf("verified %t", yes)]++
	if yes && !l.owners[at(host, s.ID)][who] {
		l.isWrong("the verifier let %s into %s", who, at(host, s.ID))
	}
}
