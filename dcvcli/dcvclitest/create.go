package dcvclitest

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

func createSession(s *State, h host, a arguments) ([]byte, error) {
	session, err := newSession(s, h, a)
	if err != nil {
		return nil, err
	}
	if s.Faults.LoseCreated {
		return nil, nil
	}
	if s.Faults.VanishAfter > 0 {
		session.VanishesAt = h.now.Add(s.Faults.VanishAfter)
	}
	if session.Type == "virtual" {
		s.Displays++
		session.X11Display = ":" + strconv.Itoa(s.Displays)
		session.X11Authority = "/run/user/1000/dcv/" + session.ID + ".xauth"
	}
	s.Sessions = append(s.Sessions, session)
	return nil, nil
}

// newSession checks the options of create-session by the rules of the
// Administrator Guide and returns what they describe.
func newSession(s *State, h host, a arguments) (Session, error) {
	id, err := a.id()
	if err != nil {
		return Session{}, err
	}
	kind, err := sessionType(h, a)
	if err != nil {
		return Session{}, err
	}
	session := Session{
		ID: id, Type: kind, CreationTime: h.now, Creator: h.caller.name,
		Owner: a.options["owner"], Name: a.options["name"], StorageRoot: a.options["storage-root"],
	}
	if session.Owner == "" {
		session.Owner = h.caller.name
	}
	session.User = "dcv" // seen of a console; the account of the daemon
	if kind == "virtual" {
		if session.User = a.options["user"]; session.User == "" {
			session.User = h.caller.name
		}
	}
	if err := checkName(session.Name); err != nil {
		return Session{}, err
	}
	if limit, ok := a.options["max-concurrent-clients"]; ok {
		if session.MaxConcurrentClients, err = strconv.Atoi(limit); err != nil {
			return Session{}, fmt.Errorf("--max-concurrent-clients %q is not a number", limit)
		}
	}
	if file := a.options["permissions-file"]; file != "" {
		if session.Permissions, err = readPermissions(file); err != nil {
			return Session{}, err
		}
	}
	return session, s.room(h, session)
}

// sessionType returns the type that the options ask for. Options of virtual
// sessions are documented for Linux alone, and so is --type.
func sessionType(h host, a arguments) (string, error) {
	if h.platform != "linux" {
		for _, name := range []string{"type", "user", "gl", "init", "disable-login-monitor"} {
			if a.has(name) {
				return "", fmt.Errorf("unknown option --%s", name)
			}
		}
		return "console", h.mayManageConsole()
	}
	kind := a.options["type"]
	switch {
	case !a.has("type"):
		kind = "virtual"
	case kind != "console" && kind != "virtual":
		return "", fmt.Errorf("type %q is not console or virtual", kind)
	}
	if gl := a.options["gl"]; a.has("gl") && gl != "on" && gl != "off" {
		return "", fmt.Errorf("--gl %q is not on or off", gl)
	}
	if kind == "virtual" {
		if a.has("user") && !h.caller.root {
			return "", errors.New("only root may start a session as another user")
		}
		return kind, nil
	}
	if a.has("user") || a.has("gl") || a.has("init") {
		return "", errors.New("--user, --gl and --init are for virtual sessions")
	}
	return kind, h.mayManageConsole()
}

func (h host) mayManageConsole() error {
	if h.caller.admin {
		return nil
	}
	return fmt.Errorf("only %s may start and stop a console session", h.root)
}

func checkName(name string) error {
	if utf8.RuneCountInString(name) > 256 {
		return errors.New("the name is longer than 256 characters")
	}
	return nil
}

// readPermissions returns the text of a permissions file. An empty file revokes
// everything (Administrator Guide, "Managing session permissions").
func readPermissions(file string) (string, error) {
	text, err := readPermissionsFile(file)
	if err != nil {
		return "", err
	}
	if _, err := parsePermissions(text); err != nil {
		return "", err
	}
	return nobody + text, nil
}

// room returns an error when the host cannot take one more session like this.
func (s *State) room(h host, session Session) error {
	virtual, mine := 0, 0
	for _, other := range s.Sessions {
		switch {
		case other.ID == session.ID:
			return fmt.Errorf("session %q exists", session.ID)
		case other.Type != session.Type:
			return errors.New("console and virtual sessions cannot be together on one server")
		case session.Type == "console":
			return errors.New("there is a console session already")
		}
		virtual++
		if h.sameUser(other.Owner, session.Owner) {
			mine++
		}
	}
	if session.Type == "virtual" {
		if limit := h.settings.number("session-management/max-concurrent-sessions", 0); limit > 0 && virtual >= limit {
			return errors.New("the server has as many virtual sessions as max-concurrent-sessions allows")
		}
		if limit := h.settings.number("session-management/max-sessions-per-user", 0); limit > 0 && mine >= limit {
			return errors.New("the user has as many virtual sessions as max-sessions-per-user allows")
		}
	}
	if s.Faults.NoLicence || s.Licences > 0 && len(s.Sessions) >= s.Licences {
		return errors.New("no licenses") // documented are these two words, not their sentence
	}
	return nil
}

// automaticConsole makes the console session that a server makes at its start
// when create-session is set and nothing is in its way.
func (s *State) automaticConsole(h host) {
	const section = "session-management/automatic-console-session/"
	if !h.settings.flag("session-management/create-session", false) || len(s.Sessions) > 0 {
		return
	}
	session := Session{
		ID: "console", Type: "console", User: "dcv", CreationTime: h.now,
		Owner:                h.settings.text(section+"owner", ""),
		StorageRoot:          h.settings.text(section+"storage-root", ""),
		MaxConcurrentClients: h.settings.number(section+"max-concurrent-clients", -1),
	}
	if session.Owner == "" {
		session.Owner = h.root
	}
	if file := h.settings.text(section+"permissions-file", ""); file != "" {
		text, err := readPermissions(file)
		if err != nil {
			text = nobody // assumed: a file that cannot be read lets nobody in
		}
		session.Permissions = text
	}
	s.Sessions = append(s.Sessions, session)
}
