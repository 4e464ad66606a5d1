package dcvclitest

import (
	"maps"
	"slices"
	"time"
)

// State is all that a [DCV] knows. [DCV.Update] changes it.
type State struct {
	Profile        Profile           `json:"profile"`
	Sessions       []Session         `json:"sessions"`
	Config         map[string]string `json:"config"` // "section/key" to the GVariant text of set-config
	Faults         Faults            `json:"faults"`
	LastConnection uint64            `json:"lastConnection"` // id given last
	Displays       int               `json:"displays"`       // X11 display number given last
	Past           []Past            `json:"past,omitempty"` // oldest first; the DCV writes it itself
}

// A Session is a desktop of a [DCV].
type Session struct {
	ID                    string       `json:"id"`
	Owner                 string       `json:"owner"`
	User                  string       `json:"user"`
	Name                  string       `json:"name"`
	Type                  string       `json:"type"` // "console" or "virtual"
	StorageRoot           string       `json:"storageRoot"`
	MaxConcurrentClients  int          `json:"maxConcurrentClients"` // 0 means no limit
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
	Address        string    `json:"address"` // ip:port, for people: DCV does not print it
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
	return c
}
