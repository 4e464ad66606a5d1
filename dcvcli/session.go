package dcvcli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A Session is a DCV session as the command prints it. What a server does not
// say is the zero value.
type Session struct {
	ID                    string
	Owner                 string
	User                  string // whose account runs the desktop; "dcv" for a console
	Name                  string // shown to people
	Type                  string // [Console] or [Virtual]
	Status                string // "created" is the only value seen in use
	NumOfConnections      int
	CreationTime          time.Time
	LastDisconnectionTime time.Time // zero means never
	LicensingMode         string
	StorageRoot           string
	X11Display            string
	X11Authority          string
}

// A Connection is one client of a session. No documentation lists its fields:
// these were seen in use.
type Connection struct {
	ID                  uint64 // counts up, unique on its server
	Username            string
	UserAgent           string
	ClientMode          string
	Transport           string // "websocket" or "quic", in any case
	ConnectionTime      time.Time
	FirstFrameTime      time.Time // zero means not yet
	LastInteractionTime time.Time // zero means never
}

// jsonSession and jsonConnection have the keys of the command's JSON. Unknown
// ones are ignored: every release adds some.
type jsonSession struct {
	ID                    string   `json:"id"`
	Owner                 string   `json:"owner"`
	User                  string   `json:"user"`
	Name                  string   `json:"name"`
	Type                  string   `json:"type"`
	Status                string   `json:"status"`
	NumOfConnections      int      `json:"num-of-connections"`
	CreationTime          jsonTime `json:"creation-time"`
	LastDisconnectionTime jsonTime `json:"last-disconnection-time"`
	LicensingMode         string   `json:"licensing-mode"`
	StorageRoot           string   `json:"storage-root"`
	X11Display            string   `json:"x11-display"`
	X11Authority          string   `json:"x11-authority"`
}

type jsonConnection struct {
	ID                  uint64   `json:"id"`
	Username            string   `json:"username"`
	UserAgent           string   `json:"user-agent"`
	ClientMode          string   `json:"client-mode"`
	Transport           string   `json:"transport"`
	ConnectionTime      jsonTime `json:"connection-time"`
	FirstFrameTime      jsonTime `json:"first-frame-time"`
	LastInteractionTime jsonTime `json:"last-interaction-time"`
}

// jsonTime reads RFC 3339 with and without a fraction: releases differ. "Never"
// is "", null or no key at all.
type jsonTime struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *jsonTime) UnmarshalJSON(b []byte) error {
	if string(b) == "null" || string(b) == `""` {
		*t = jsonTime{}
		return nil
	}
	parsed, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return fmt.Errorf("time %.40q is not RFC 3339", b)
	}
	*t = jsonTime{parsed}
	return nil
}

func (s jsonSession) session() (Session, error) {
	if s.ID == "" {
		return Session{}, fmt.Errorf("%w: a session without an id", ErrUnknownForm)
	}
	if s.NumOfConnections < 0 {
		return Session{}, fmt.Errorf("%w: session %.80q has %d connections", ErrUnknownForm, s.ID, s.NumOfConnections)
	}
	return Session{
		ID:                    s.ID,
		Owner:                 s.Owner,
		User:                  s.User,
		Name:                  s.Name,
		Type:                  s.Type,
		Status:                s.Status,
		NumOfConnections:      s.NumOfConnections,
		CreationTime:          s.CreationTime.Time,
		LastDisconnectionTime: s.LastDisconnectionTime.Time,
		LicensingMode:         s.LicensingMode,
		StorageRoot:           s.StorageRoot,
		X11Display:            s.X11Display,
		X11Authority:          s.X11Authority,
	}, nil
}

// looksLikeJSON tells the array of list-sessions --json from its text form.
func looksLikeJSON(out []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(out), []byte("["))
}

func parseSessions(out []byte) ([]Session, error) {
	var list []jsonSession
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("dcv list-sessions: %w: %w", ErrUnknownForm, err)
	}
	sessions := make([]Session, 0, len(list))
	for _, entry := range list {
		s, err := entry.session()
		if err != nil {
			return nil, fmt.Errorf("dcv list-sessions: %w", err)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

func parseSession(out []byte) (Session, error) {
	var entry jsonSession
	if err := json.Unmarshal(out, &entry); err != nil {
		return Session{}, fmt.Errorf("dcv describe-session: %w: %w", ErrUnknownForm, err)
	}
	s, err := entry.session()
	if err != nil {
		return Session{}, fmt.Errorf("dcv describe-session: %w", err)
	}
	return s, nil
}

func parseConnections(out []byte) ([]Connection, error) {
	var list []jsonConnection
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("dcv list-connections: %w: %w", ErrUnknownForm, err)
	}
	connections := make([]Connection, 0, len(list))
	for _, c := range list {
		connections = append(connections, Connection{
			ID:                  c.ID,
			Username:            c.Username,
			UserAgent:           c.UserAgent,
			ClientMode:          c.ClientMode,
			Transport:           c.Transport,
			ConnectionTime:      c.ConnectionTime.Time,
			FirstFrameTime:      c.FirstFrameTime.Time,
			LastInteractionTime: c.LastInteractionTime.Time,
		})
	}
	return connections, nil
}

// parseSessionsText reads the text form of list-sessions. The guide shows the
// first of these lines, the second was seen in use, as was the sentence for none:
//
//	Session: cad-0042 (owner:lbianchi type:virtual name:'CAD seat 42')
//	Session: 'ws-17-console' (owner:mrossi type:console)
//	There are no sessions available.
func parseSessionsText(out []byte) ([]Session, error) {
	sessions := []Session{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line == "There are no sessions available." {
			continue
		}
		s, ok := parseSessionLine(line)
		if !ok {
			return nil, fmt.Errorf("dcv list-sessions: %w: line %.200q", ErrUnknownForm, line)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

func parseSessionLine(line string) (Session, bool) {
	rest, isSession := strings.CutPrefix(line, "Session: ")
	id, rest, hasOwner := strings.Cut(rest, " (owner:")
	owner, rest, hasType := strings.Cut(rest, " type:")
	rest, isClosed := strings.CutSuffix(rest, ")")
	if !isSession || !hasOwner || !hasType || !isClosed {
		return Session{}, false
	}
	kind, name, _ := strings.Cut(rest, " name:")
	id, name = unquote(id), unquote(name)
	if id == "" || kind != Console && kind != Virtual {
		return Session{}, false
	}
	return Session{ID: id, Owner: owner, Type: kind, Name: name}, true
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}
