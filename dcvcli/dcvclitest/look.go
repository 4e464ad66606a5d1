package dcvclitest

import (
	"bytes"
	"fmt"
	"strings"
)

func listSessions(s *State, h host, a arguments) ([]byte, error) {
	s = s.seen(h.now)
	var sessions []Session
	for _, session := range s.Sessions {
		if h.sees(session) {
			sessions = append(sessions, session)
		}
	}
	if len(a.positional) > 0 {
		session, err := h.named(s, a)
		if err != nil {
			return nil, err
		}
		sessions = []Session{*session}
	}
	if a.has("json") {
		list := make([]sessionJSON, 0, len(sessions))
		for _, session := range sessions {
			list = append(list, h.describe(session))
		}
		return printJSON(list)
	}
	if len(sessions) == 0 {
		return []byte("There are no sessions available.\n"), nil
	}
	var out bytes.Buffer
	for _, session := range sessions {
		out.WriteString(h.line(session))
	}
	return out.Bytes(), nil
}

// line returns the text form of a session. The documented one has no quotes
// around the id and always a name; the other was seen in use.
func (h host) line(s Session) string {
	id, name := "'"+s.ID+"'", ""
	if h.literal || h.faults.UnquotedIDs {
		id = s.ID
	}
	if h.literal || s.Name != "" {
		name = " name:'" + s.Name + "'"
	}
	return fmt.Sprintf("Session: %s (owner:%s type:%s%s)\n", id, s.Owner, s.Type, name)
}

func describeSession(s *State, h host, a arguments) ([]byte, error) {
	session, err := h.named(s.seen(h.now), a)
	if err != nil {
		return nil, err
	}
	if a.has("json") {
		return printJSON(h.describe(*session))
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Session: %s\n    owner: %s\n    name: %s\n    x display: %s\n    x authority: %s\n",
		session.ID, session.Owner, session.Name, session.X11Display, session.X11Authority)
	var heads []string
	for _, head := range session.layout() {
		heads = append(heads, head.String())
	}
	if heads != nil {
		fmt.Fprintf(&out, "    display layout: %s\n", strings.Join(heads, ","))
	}
	return out.Bytes(), nil
}

func listConnections(s *State, h host, a arguments) ([]byte, error) {
	session, err := h.named(s.seen(h.now), a)
	if err != nil {
		return nil, err
	}
	list := make([]connectionJSON, 0, len(session.Connections))
	for _, c := range session.Connections {
		list = append(list, h.describeConnection(c))
	}
	if a.has("json") {
		return printJSON(list)
	}
	var out bytes.Buffer
	for _, c := range list {
		fmt.Fprintf(&out, "fake text: connection %d of %s\n", c.ID, c.Username)
	}
	return out.Bytes(), nil
}

// listEndpoints prints where the server listens by its settings. Nobody has
// published the form of either answer.
func listEndpoints(_ *State, h host, a arguments) ([]byte, error) {
	port := h.settings.number("connectivity/web-port", 8443)
	if !a.has("json") {
		return fmt.Appendf(nil, "fake text: endpoint of the web port %d\n", port), nil
	}
	return printJSON([]struct {
		Port  int        `json:"fake-web-port"`
		Extra *extraJSON `json:"fake-unknown-key,omitempty"`
	}{{port, h.extra()}})
}

// version prints the text that was seen in use. Nobody has published the keys of
// the JSON.
func version(_ *State, h host, a arguments) ([]byte, error) {
	if a.has("json") {
		return printJSON(struct {
			Version string     `json:"fake-version"`
			Build   int        `json:"fake-build"`
			Extra   *extraJSON `json:"fake-unknown-key,omitempty"`
		}{h.version, h.build, h.extra()})
	}
	return fmt.Appendf(nil, "%s %s (r%d)\nA fake without a copyright line.\n", h.product, h.version, h.build), nil
}
