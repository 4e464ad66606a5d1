package session

import (
	"github.com/dcvix/dcvix"
)

// A Desktop is something that a user may open: a host, or a pool of hosts.
type Desktop struct {
	Pool     bool           // else it is a host
	Name     string         // as the policy writes it; it goes into an [OpenRequest]
	Host     dcvix.Hostname // recorded name of the host; "" for a pool, or when none is registered
	State    DesktopState
	Detail   string              // one sentence for the user; it names no other user
	Sessions []dcvix.Session     // the user's own, of all types, ordered by host and id; never nil
	Types    []dcvix.SessionType // that Open would answer with a session now; never nil
	Hosts    int                 // of a pool; 1 for a host
	Free     int                 // of the Hosts: those that can take a new session, of the type that most can
}

// A DesktopState is what a desktop is to its user. The list only grows.
type DesktopState string

// The states of a desktop.
const (
	DesktopReady       DesktopState = "ready"       // a session can be opened
	DesktopOwn         DesktopState = "own"         // the user has a session there, without a client
	DesktopInUse       DesktopState = "in-use"      // the user has a session there, with a client
	DesktopPassing     DesktopState = "passing"     // the user's session is being created or closed
	DesktopBusy        DesktopState = "busy"        // others have it
	DesktopMaintenance DesktopState = "maintenance" // an admin has drained it
	DesktopOffline     DesktopState = "offline"     // it does not report
	DesktopStarting    DesktopState = "starting"    // the director has just started and has not heard of it yet
	DesktopUnusable    DesktopState = "unusable"    // it cannot be had as the policy is, such as a name without a host
)

// Desktops returns what a user may open: the pools and the hosts of the policy, in
// its order, the pools first; then the other hosts where the user has a session, by
// name. A host that only a pool gives is not there for itself: who opens the pool
// need not know its members. It costs no disk read.
func (b *Broker) Desktops(who Actor) []Desktop {
	b.fleet.expire(b.cfg.Now())
	access := b.Access(who.User, who.Groups)
	desktops := make([]Desktop, 0, len(access.Pools)+access.Direct)
	for _, pool := range access.Pools {
		d := b.desktop(who, b.members(pool), pool)
		d.Pool, d.Name = true, pool.ID
		desktops = append(desktops, d)
	}
	listed := make(map[dcvix.AgentID]bool, access.Direct)
	for _, m := range b.resolveAll(access.Hosts[:access.Direct]) {
		listed[m.agent] = true
		d := b.desktop(who, &hosts{members: []member{m}}, Pool{})
		d.Name = m.name
		if a, known := b.register.get(m.agent); known {
			d.Host = a.Hostname
		}
		desktops = append(desktops, d)
	}
	for _, h := range b.fleet.hostsOf(who.User, b.same) {
		if !listed[h.Agent] {
			desktops = append(desktops, b.desktopWithSession(who, h))
		}
	}
	return desktops
}

// desktopWithSession is a host where the user has a session, which may come from a
// pool, from a name of the user's own, or from rights that the user has no longer.
func (b *Broker) desktopWithSession(who Actor, h Host) Desktop {
	d := b.desktop(who, &hosts{members: []member{{name: string(h.Name), agent: h.Agent}}}, Pool{})
	d.Name, d.Host = string(h.Name), h.Name
	if _, err := b.allowed(Actor{User: who.User, Groups: who.Groups}, string(h.Name)); err != nil {
		d.Types, d.Free = []dcvix.SessionType{}, 0
		d.Detail = "You have a session there, but may open no other: the policy has changed."
	}
	return d
}

// desktop judges hosts, as a pool or one alone, for the types of session.
func (b *Broker) desktop(who Actor, in *hosts, pool Pool) Desktop {
	d := Desktop{Sessions: make([]dcvix.Session, 0), Types: make([]dcvix.SessionType, 0), Hosts: len(in.members)}
	counts := make(map[ReasonCode]int)
	for _, kind := range []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual} {
		o := &opening{b: b, who: who, req: OpenRequest{Owner: who.User, Type: kind}}
		w := o.want()
		w.healthy, w.require = true, pool.Require
		s := new(survey)
		b.survey(s, in, w, nil, false)
		d.Free = max(d.Free, len(s.candidates))
		if len(s.own)+len(s.candidates) > 0 {
			d.Types = append(d.Types, kind)
		}
		for code, n := range s.counts {
			counts[code] += n
		}
	}
	for _, m := range in.members {
		host, _ := b.fleet.Host(m.agent)
		for _, s := range host.Sessions {
			if b.same(s.Owner, who.User) {
				d.Sessions = append(d.Sessions, s)
			}
		}
	}
	d.State = stateOf(d, counts)
	d.Detail = d.State.sentence()
	if d.State == DesktopMaintenance {
		for _, m := range in.members {
			if flags := b.flags(m.agent); flags.Maintenance {
				d.Detail = flags.sentence()
				break
			}
		}
	}
	return d
}

// stateOf says what a desktop is: first by the user's own sessions, then by whether
// one can be had, then by what is most hopeful among the reasons why not.
func stateOf(d Desktop, counts map[ReasonCode]int) DesktopState {
	passing, own := false, false
	for _, s := range d.Sessions {
		switch {
		case !enterable(s):
			passing = true
		case s.NumOfConnections > 0:
			return DesktopInUse
		default:
			own = true
		}
	}
	switch {
	case own:
		return DesktopOwn
	case passing:
		return DesktopPassing
	case len(d.Types) > 0:
		return DesktopReady
	case counts[ReasonStarting] > 0:
		return DesktopStarting
	case counts[ReasonConsole]+counts[ReasonOtherType] > 0:
		return DesktopBusy
	case counts[ReasonMaintenance] > 0:
		return DesktopMaintenance
	case counts[ReasonSilent]+counts[ReasonOffline] > 0:
		return DesktopOffline
	}
	return DesktopUnusable
}

func (s DesktopState) sentence() string {
	switch s {
	case DesktopReady:
		return "It is free."
	case DesktopOwn:
		return "You have a session there."
	case DesktopInUse:
		return "You have a session there, and a client is connected."
	case DesktopPassing:
		return "Your session is being created or closed: wait a moment."
	case DesktopBusy:
		return "Others have it: try again later."
	case DesktopMaintenance:
		return "It is in maintenance."
	case DesktopOffline:
		return "It does not report: tell your admin."
	case DesktopStarting:
		return "It has not been heard of since the director started: wait a moment."
	case DesktopUnusable:
		return "It cannot be used as it is set up: tell your admin."
	}
	return ""
}
