package dcvclitest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func closeSession(s *State, h host, a arguments) ([]byte, error) {
	session, err := h.named(s, a)
	if err != nil {
		return nil, err
	}
	if session.Type == "console" {
		if err := h.mayManageConsole(); err != nil {
			return nil, err
		}
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

// chosen returns the session of --session and the one among names that is given.
func (h host) chosen(s *State, a arguments, names ...string) (*Session, string, error) {
	session, err := h.session(s, a.options["session"])
	if err != nil {
		return nil, "", err
	}
	given := slices.DeleteFunc(names, func(name string) bool { return !a.has(name) })
	if len(given) != 1 || len(a.positional) > 0 {
		return nil, "", errors.New("one of the options has to say what to set, and nothing else")
	}
	return session, given[0], nil
}

// target returns the session of --session and the one argument.
func (h host) target(s *State, a arguments) (*Session, string, error) {
	session, err := h.session(s, a.options["session"])
	if err != nil {
		return nil, "", err
	}
	if len(a.positional) != 1 {
		return nil, "", errors.New("one argument has to say what to set")
	}
	return session, a.positional[0], nil
}

func setName(s *State, h host, a arguments) ([]byte, error) {
	session, _, err := h.chosen(s, a, "name", "none")
	if err != nil {
		return nil, err
	}
	if err := checkName(a.options["name"]); err != nil {
		return nil, err
	}
	session.Name = a.options["name"]
	return nil, nil
}

func setPermissions(s *State, h host, a arguments) ([]byte, error) {
	session, how, err := h.chosen(s, a, "none", "reset-builtin", "file")
	if err != nil {
		return nil, err
	}
	text := ""
	switch how {
	case "none":
		text = nobody
	case "file":
		if text, err = readPermissions(a.options["file"]); err != nil {
			return nil, err
		}
	}
	session.Permissions = text
	return nil, nil
}

func setStorageRoot(s *State, h host, a arguments) ([]byte, error) {
	session, root, err := h.target(s, a)
	if err != nil {
		return nil, err
	}
	session.StorageRoot = root
	return nil, nil
}

// setDisplayLayout leaves the layout as it was, and says nothing, when it is not
// supported (Administrator Guide, "Managing the display layout").
func setDisplayLayout(s *State, h host, a arguments) ([]byte, error) {
	session, text, err := h.target(s, a)
	if err != nil {
		return nil, err
	}
	layout, err := parseLayout(text)
	if err != nil {
		return nil, err
	}
	if supported(layout) {
		session.Layout = layout
	}
	return nil, nil
}

func setConfig(s *State, h host, a arguments) ([]byte, error) {
	section, key := a.options["section"], a.options["key"]
	if section == "" || key == "" || len(a.positional) != 1 {
		return nil, errors.New("set-config needs --section, --key and one value")
	}
	if !h.caller.admin {
		return nil, fmt.Errorf("only %s may change a setting", h.root)
	}
	if s.Config == nil {
		s.Config = map[string]string{}
	}
	s.Config[section+"/"+key] = a.positional[0]
	return nil, nil
}

// getConfig prints the settings that somebody made. That the command exists was
// seen in use, its form was not.
func getConfig(_ *State, h host, a arguments) ([]byte, error) {
	if len(a.positional) > 0 {
		return nil, errors.New("get-config takes --all or nothing")
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(h.settings)) {
		last := strings.LastIndexByte(name, '/')
		fmt.Fprintf(&out, "fake text: [%s] %s=%s\n", name[:last], name[last+1:], h.settings[name])
	}
	return out.Bytes(), nil
}
