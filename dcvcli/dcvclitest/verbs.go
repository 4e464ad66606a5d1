package dcvclitest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// host is what a verb may know besides the state.
type host struct {
	release

	now      time.Time
	faults   Faults
	settings settings
	caller   caller
}

// hostFor returns the host as an account sees it; "" is root.
func (s *State) hostFor(account string, now time.Time) (host, error) {
	r, err := s.Profile.release()
	if err != nil {
		return host{}, err
	}
	all, err := s.settings()
	if err != nil {
		return host{}, err
	}
	h := host{release: r, now: now, faults: s.Faults, settings: all}
	h.caller = h.callerNamed(account)
	return h, nil
}

// A verb is what one command does. Its function returns what it prints; when that
// is an error, the state stays as it was.
type verb struct {
	run     func(s *State, h host, a arguments) ([]byte, error)
	options options
}

// verbs returns the commands that are documented or, as get-config, seen in use.
// Of on-client-connected and on-client-disconnected nothing is known but the
// names, and others that one might expect were not found at all.
func verbs() map[string]verb {
	return map[string]verb{
		"create-session": {createSession, options{
			"type": true, "name": true, "user": true, "owner": true, "permissions-file": true, "storage-root": true,
			"gl": true, "max-concurrent-clients": true, "init": true, "disable-login-monitor": false,
		}},
		"close-session":      {closeSession, options{"logout-user": false}},
		"list-sessions":      {listSessions, options{"json": false}},
		"describe-session":   {describeSession, options{"json": false}},
		"list-connections":   {listConnections, options{"json": false}},
		"list-endpoints":     {listEndpoints, options{"json": false}},
		"set-name":           {setName, options{"session": true, "name": true, "none": false}},
		"set-permissions":    {setPermissions, options{"session": true, "none": false, "reset-builtin": false, "file": true}},
		"set-storage-root":   {setStorageRoot, options{"session": true}},
		"set-display-layout": {setDisplayLayout, options{"session": true}},
		"get-screenshot": {getScreenshot, options{
			"max-width": true, "max-height": true, "format": true, "primary": false, "json": false, "output": true,
		}},
		"set-config": {setConfig, options{"section": true, "key": true}},
		"get-config": {getConfig, options{"all": false}},
		"version":    {version, options{"json": false}},
	}
}

// obey does what one command of an account asks for and returns what it prints.
// An error leaves the state as it was.
func obey(s *State, account string, now time.Time, args []string) ([]byte, error) {
	h, err := s.hostFor(account, now)
	if err != nil {
		return nil, err
	}
	all := verbs()
	if len(args) == 0 {
		return nil, fmt.Errorf("which command? the fake knows %s", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	chosen, ok := all[args[0]]
	if !ok {
		return nil, fmt.Errorf("unknown command %q", args[0])
	}
	if s.Faults.NoJSON {
		delete(chosen.options, "json")
	}
	chosen.options["help"] = false
	a, err := parseArgs(args[1:], chosen.options)
	if err != nil {
		return nil, err
	}
	if a.has("help") {
		return help(args[0], chosen.options), nil
	}
	return chosen.run(s, h, a)
}

// help lists the options that the fake takes.
func help(name string, known options) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "fake help: dcv %s\n", name)
	for _, option := range slices.Sorted(maps.Keys(known)) {
		value := ""
		if known[option] {
			value = "=VALUE"
		}
		fmt.Fprintf(&out, "  --%s%s\n", option, value)
	}
	return out.Bytes()
}

// named returns the session that the one positional argument names.
func (h host) named(s *State, a arguments) (*Session, error) {
	id, err := a.id()
	if err != nil {
		return nil, err
	}
	return h.session(s, id)
}

// session returns a session that the caller sees. What somebody does not see is
// not there.
func (h host) session(s *State, id string) (*Session, error) {
	if id == "" {
		return nil, errors.New("the session id is missing")
	}
	session, ok := s.Session(id)
	if !ok || !h.sees(*session) {
		return nil, fmt.Errorf("there is no session %q", id)
	}
	return session, nil
}
