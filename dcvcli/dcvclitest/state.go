package dcvclitest

import (
	"maps"
	"slices"
	"time"
)

// State is all that a [DCV] knows. [DCV.Update] changes it.
type State struct {
	Profile        Profile             `json:"profile"`
	Sessions       []Session           `json:"sessions"`
	ConfFile       string              `json:"confFile"` // dcv.conf to read; "" means none
	Config         map[string]string   `json:"config"`   // "section/key" to the GVariant text of set-config, over what ConfFile says
	OSGroups       map[string][]string `json:"osGroups"` // members of the groups of the operating system, for permissions
	Licences       int                 `json:"licences"` // sessions that may be there at once, in floating licences; 0 means no limit
	Faults         Faults              `json:"faults"`
	Restarts       int                 `json:"restarts"`       // how often [DCV.Restart] was called
	LastConnection uint64              `json:"lastConnection"` // id given last
	Displays       int                 `json:"displays"`       // X11 display number given last
	Past           []Past              `json:"past,omitempty"` // oldest first; the DCV writes it itself
}

// A Session is a desktop of a [DCV].
type Session struct {
	ID                    string       `json:"id"`
	Creator               string       `json:"creator"` // who ran create-session: others but administrators do not see it; "" means the server itself
	Owner                 string       `json:"owner"`
	User                  string       `json:"user"`
	Name                  string       `json:"name"`
	Type                  string       `json:"type"` // "console" or "virtual"
	StorageRoot           string       `json:"storageRoot"`
	Permissions           string       `json:"permissions"`          // text of a permissions file; "" means the server's default: the owner may do everything
	MaxConcurrentClients  int          `json:"maxConcurrentClients"` // 0 means what the settings say, by default no limit; -1 means none
	Layout                []Display    `json:"layout"`               // nil means one head for a virtual session and none for a console
	X11Display            string       `json:"x11Display"`
	X11Authority          string       `json:"x11Authority"`
	CreationTime          time.Time    `json:"creationTime"`
	LastDisconnectionTime time.Time    `json:"lastDisconnectionTime"` // zero means never
	VanishesAt            time.Time    `json:"vanishesAt"`            // when the desktop crashes; zero means never
	Connections           []Connection `json:"connections"`
}

// A Connection is a client of a [Session].
type Connection struct {
	ID             uint64    `json:"id"`
	User           string    `json:"user"`
	Address        string    `json:"address"`           // ip:port, for people: DCV does not print it
	Gateway        string    `json:"gateway,omitempty"` // the [Gateway] that the client came through, for people; "" means none
	UserAgent      string    `json:"userAgent"`
	ConnectionTime time.Time `json:"connectionTime"`
}

// Session returns the session of that id and whether there is one. Changes to it
// change the state.
func (s *State) Session(id string) (*Session, bool) {
	i := slices.IndexFunc(s.Sessions, func(session Session) bool { return session.ID == id })
	if i < 0 {
		return nil, false
	}
	return &s.Sessions[i], true
}

// remove forgets a session and with it its connections.
func (s *State) remove(id string) {
	s.Sessions = slices.DeleteFunc(s.Sessions, func(session Session) bool { return session.ID == id })
}

// forgetVanished removes the desktops that crashed by now.
func (s *State) forgetVanished(now time.Time) {
	s.Sessions = slices.DeleteFunc(s.Sessions, func(session Session) bool {
		return !session.VanishesAt.IsZero() && !now.Before(session.VanishesAt)
	})
}

func (s *Session) has(connection uint64) bool {
	return slices.ContainsFunc(s.Connections, func(c Connection) bool { return c.ID == connection })
}

// disconnect removes a connection, if it is there, and notes when.
func (s *Session) disconnect(connection uint64, now time.Time) {
	if !s.has(connection) {
		return
	}
	s.Connections = slices.DeleteFunc(s.Connections, func(c Connection) bool { return c.ID == connection })
	s.LastDisconnectionTime = now
}

// disconnectAll ends every connection.
func (s *State) disconnectAll(now time.Time) {
	for i := range s.Sessions {
		if session := &s.Sessions[i]; len(session.Connections) > 0 {
			session.Connections = nil
			session.LastDisconnectionTime = now
		}
	}
}

// clone returns a copy that shares nothing with s.
func (s *State) clone() State {
	c := *s
	c.Sessions = cloneSessions(s.Sessions)
	c.Past = slices.Clone(s.Past)
	for i := range c.Past {
		c.Past[i].Sessions = cloneSessions(c.Past[i].Sessions)
	}
	c.Config = maps.Clone(s.Config)
	c.OSGroups = maps.Clone(s.OSGroups)
	for group, members := range c.OSGroups {
		c.OSGroups[group] = slices.Clone(members)
	}
	return c
}
