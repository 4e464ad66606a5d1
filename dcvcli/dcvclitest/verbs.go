package dcvclitest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// obey does what one command asks for and returns what it prints. An error
// leaves the state as it was.
func obey(s *State, now time.Time, args []string) ([]byte, error) {
	r, err := s.Profile.release()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, errors.New("which command? the fake knows create-session, close-session, list-sessions, " +
			"describe-session, list-connections, set-config and version")
	}
	run, known := verb(args[0])
	if run == nil {
		return nil, fmt.Errorf("unknown command %q", args[0])
	}
	if s.Faults.NoJSON {
		delete(known, "json")
	}
	a, err := parseArgs(args[1:], known)
	if err != nil {
		return nil, err
	}
	return run(s, host{release: r, now: now, faults: s.Faults}, a)
}

// host is what a verb may know besides the state.
type host struct {
	release

	now    time.Time
	faults Faults
}

type verbFunc func(s *State, h host, a arguments) ([]byte, error)

// verb returns the function of a verb and its options, or nil.
func verb(name string) (verbFunc, options) {
	switch name {
	case "create-session":
		return createSession, options{
			"type": true, "name": true, "user": true, "owner": true, "permissions-file": true, "storage-root": true,
			"gl": true, "max-concurrent-clients": true, "init": true, "disable-login-monitor": false,
		}
	case "close-session":
		return closeSession, options{"logout-user": false}
	case "list-sessions":
		return listSessions, options{"json": false}
	case "describe-session":
		return describeSession, options{"json": false}
	case "list-connections":
		return listConnections, options{"json": false}
	case "set-config":
		return setConfig, options{"section": true, "key": true}
	case "version":
		return version, options{"json": false}
	default:
		return nil, nil
	}
}

func createSession(s *State, h host, a arguments) ([]byte, error) {
	session, err := newSession(s, h, a)
	if err != nil {
		return nil, err
	}
	if s.Faults.NoLicence {
		return nil, errors.New("no licenses") // documented are these two words, not their sentence
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
	for _, other := range s.Sessions {
		switch {
		case other.ID == id:
			return Session{}, fmt.Errorf("session %q exists", id)
		case other.Type != kind:
			return Session{}, errors.New("console and virtual sessions cannot be together on one server")
		case kind == "console":
			return Session{}, errors.New("there is a console session already")
		}
	}
	session := Session{
		ID: id, Type: kind, CreationTime: h.now,
		Owner: a.options["owner"], Name: a.options["name"], StorageRoot: a.options["storage-root"],
	}
	if session.Owner == "" {
		session.Owner = h.admin
	}
	session.User = "dcv" // seen of a console; the account of the daemon
	if kind == "virtual" {
		if session.User = a.options["user"]; session.User == "" {
			session.User = h.admin
		}
	}
	if utf8.RuneCountInString(session.Name) > 256 {
		return Session{}, errors.New("the name is longer than 256 characters")
	}
	if limit, ok := a.options["max-concurrent-clients"]; ok {
		if session.MaxConcurrentClients, err = strconv.Atoi(limit); err != nil {
			return Session{}, fmt.Errorf("--max-concurrent-clients %q is not a number", limit)
		}
	}
	return session, nil
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
		return "console", nil
	}
	kind := a.options["type"]
	switch {
	case !a.has("type"):
		return "virtual", nil
	case kind != "console" && kind != "virtual":
		return "", fmt.Errorf("type %q is not console or virtual", kind)
	case kind == "console" && (a.has("user") || a.has("gl") || a.has("init")):
		return "", errors.New("--user, --gl and --init are for virtual sessions")
	}
	return kind, nil
}

func closeSession(s *State, _ host, a arguments) ([]byte, error) {
	session, err := s.named(a)
	if err != nil {
		return nil, err
	}
	if a.has("logout-user") && session.Type != "console" {
		return nil, errors.New("--logout-user is for console sessions")
	}
	if s.Faults.LoseClosed {
		return nil, nil
	}
	s.remove(session.ID)
	return nil, nil
}

func listSessions(s *State, h host, a arguments) ([]byte, error) {
	s = s.seen(h.now)
	sessions := s.Sessions
	if len(a.positional) > 0 {
		session, err := s.named(a)
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
		id := "'" + session.ID + "'"
		if h.faults.UnquotedIDs {
			id = session.ID
		}
		fmt.Fprintf(&out, "Session: %s (owner:%s type:%s", id, session.Owner, session.Type)
		if session.Name != "" {
			fmt.Fprintf(&out, " name:'%s'", session.Name)
		}
		out.WriteString(")\n")
	}
	return out.Bytes(), nil
}

func describeSession(s *State, h host, a arguments) ([]byte, error) {
	session, err := s.seen(h.now).named(a)
	if err != nil {
		return nil, err
	}
	if a.has("json") {
		return printJSON(h.describe(*session))
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "Session: %s\n    owner: %s\n    name: %s\n    x display: %s\n    x authority: %s\n",
		session.ID, session.Owner, session.Name, session.X11Display, session.X11Authority)
	if session.Type == "virtual" {
		fmt.Fprintln(&out, "    display layout: 1024x768+0+0")
	}
	return out.Bytes(), nil
}

func listConnections(s *State, h host, a arguments) ([]byte, error) {
	session, err := s.seen(h.now).named(a)
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

func setConfig(s *State, _ host, a arguments) ([]byte, error) {
	section, key := a.options["section"], a.options["key"]
	if section == "" || key == "" || len(a.positional) != 1 {
		return nil, errors.New("set-config needs --section, --key and one value")
	}
	if s.Config == nil {
		s.Config = map[string]string{}
	}
	s.Config[section+"/"+key] = a.positional[0]
	return nil, nil
}

// version prints the documented text. Nobody has published the keys of the JSON.
func version(_ *State, h host, a arguments) ([]byte, error) {
	if a.has("json") {
		return printJSON(struct {
			Version string `json:"fake-version"`
			Build   int    `json:"fake-build"`
		}{h.version, h.build})
	}
	return fmt.Appendf(nil, "%s %s (r%d)\nA fake without a copyright line.\n", h.product, h.version, h.build), nil
}

// named returns the session that the one positional argument names.
func (s *State) named(a arguments) (*Session, error) {
	id, err := a.id()
	if err != nil {
		return nil, err
	}
	session, ok := s.Session(id)
	if !ok {
		return nil, fmt.Errorf("there is no session %q", id)
	}
	return session, nil
}
