package dcvclitest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// permissions are those of a permissions file (Administrator Guide, "Working with
// permissions files"): named groups and aliases, and rules that are read in order.
type permissions struct {
	groups  map[string][]string
	aliases map[string][]string
	rules   []rule
}

type rule struct {
	actor    string
	effect   string // allow, disallow or deny
	features []string
}

// maxPermissions is the size of a file that is taken, in bytes.
const maxPermissions = 64 << 10

// readPermissionsFile returns the text of a file.
func readPermissionsFile(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("permissions file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxPermissions+1))
	if err != nil {
		return "", fmt.Errorf("permissions file: %w", err)
	}
	if len(text) > maxPermissions {
		return "", fmt.Errorf("permissions file %s is longer than %d bytes", name, maxPermissions)
	}
	return string(text), nil
}

// ownerOnly is what holds without any permissions file.
const ownerOnly = "[permissions]\n%owner% allow builtin\n"

// nobody revokes everything: the file without a rule.
const nobody = "[permissions]\n"

// features returns those that a rule may name, of the newest release.
func features() []string {
	return []string{
		"audio-in", "audio-out", "builtin", "clipboard-copy", "clipboard-paste", "display", "extensions-client", "extensions-server",
		"file-download", "file-upload", "gamepad", "keyboard", "keyboard-sas", "mouse", "pointer", "printer", "screenshot", "smartcard",
		"stylus", "touch", "unsupervised-access", "usb", "webcam", "webauthn-redirection",
	}
}

// parsePermissions reads the text of a permissions file. The fake follows no
// #import, which it refuses; that it refuses what it cannot read is assumed.
func parsePermissions(text string) (*permissions, error) {
	if len(text) > 2*maxPermissions { // the server's and the session's
		return nil, errors.New("the permissions file is too long")
	}
	p := &permissions{groups: map[string][]string{}, aliases: map[string][]string{}}
	section, number := "", 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#import") {
			return nil, fmt.Errorf("permissions file, line %d: the fake follows no #import", number)
		}
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			section = line
			continue
		}
		if err := p.read(section, line); err != nil {
			return nil, fmt.Errorf("permissions file, line %d: %w", number, err)
		}
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("permissions file: %w", err)
	}
	return p, nil
}

func (p *permissions) read(section, line string) error {
	switch section {
	case "[groups]":
		return readNames(p.groups, line)
	case "[aliases]":
		return readNames(p.aliases, line)
	case "[permissions]":
		words := strings.Fields(line)
		if len(words) < 3 {
			return errors.New("a rule is ACTOR RULE FEATURE…")
		}
		if !slices.Contains([]string{"allow", "disallow", "deny"}, words[1]) {
			return fmt.Errorf("rule %.40q is not allow, disallow or deny", words[1])
		}
		p.rules = append(p.rules, rule{actor: words[0], effect: words[1], features: words[2:]})
		return nil
	default:
		return fmt.Errorf("section %.40q is not [groups], [aliases] or [permissions]", section)
	}
}

// readNames reads "name=a, b".
func readNames(into map[string][]string, line string) error {
	name, list, ok := strings.Cut(line, "=")
	if name = strings.TrimSpace(name); !ok || name == "" {
		return errors.New("it is not name=a, b")
	}
	into[name] = []string{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			into[name] = append(into[name], item)
		}
	}
	return nil
}

// check returns an error when a name has no meaning or goes round in circles.
func (p *permissions) check() error {
	for name := range p.groups {
		if err := follow(p.groups, name, "group:"); err != nil {
			return fmt.Errorf("group %w", err)
		}
	}
	for name := range p.aliases {
		if err := follow(p.aliases, name, ""); err != nil {
			return fmt.Errorf("alias %w", err)
		}
		for _, feature := range p.aliases[name] {
			if err := p.known(feature); err != nil {
				return err
			}
		}
	}
	for _, r := range p.rules {
		if group, ok := strings.CutPrefix(r.actor, "group:"); ok && p.groups[group] == nil { // an empty one is not nil
			return fmt.Errorf("group %.40q is not defined", group)
		}
		for _, feature := range r.features {
			if err := p.known(feature); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *permissions) known(feature string) error {
	if _, alias := p.aliases[feature]; alias || slices.Contains(features(), feature) {
		return nil
	}
	return fmt.Errorf("feature %.40q is not known", feature)
}

// follow returns an error when the members of a name lead back to it or to too
// many others. A member with the prefix is a name itself.
func follow(names map[string][]string, start, prefix string) error {
	const most = 10_000
	open, steps := []string{start}, 0
	for len(open) > 0 {
		name := open[0]
		open = open[1:]
		for _, member := range names[name] {
			if steps++; steps > most {
				return fmt.Errorf("%.40q goes round in circles or has more than %d members", start, most)
			}
			if inner, isName := strings.CutPrefix(member, prefix); isName && names[inner] != nil {
				open = append(open, inner)
			}
		}
	}
	return nil
}

// A visitor is somebody who wants to enter a session.
type visitor struct {
	user     string
	owner    string // of the session
	osGroups map[string][]string
	same     func(a, b string) bool // whether two names are one account
}

// allow reports whether the visitor has a feature. Later rules override earlier
// ones, but deny is final.
func (p *permissions) allow(v visitor, feature string) bool {
	allowed := false
	for _, r := range p.rules {
		if !p.isMember(v, r.actor, true) || !p.covers(r.features, feature) {
			continue
		}
		switch r.effect {
		case "deny":
			return false
		case "allow":
			allowed = true
		default:
			allowed = false
		}
	}
	return allowed
}

// isMember reports whether the visitor is the actor of a rule or, without %any%
// and %owner%, the member of a group.
func (p *permissions) isMember(v visitor, actor string, ofRule bool) bool {
	if ofRule && actor == "%any%" {
		return true
	}
	if ofRule && actor == "%owner%" {
		return v.same(v.user, v.owner)
	}
	if name, ok := strings.CutPrefix(actor, "group:"); ok {
		return slices.ContainsFunc(p.groups[name], func(member string) bool { return p.isMember(v, member, false) })
	}
	if name, ok := strings.CutPrefix(actor, "osgroup:"); ok {
		return slices.ContainsFunc(v.osGroups[name], func(user string) bool { return v.same(user, v.user) })
	}
	return v.same(strings.TrimPrefix(actor, "user:"), v.user)
}

func (p *permissions) covers(names []string, feature string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return name == feature || name == "builtin" || p.covers(p.aliases[name], feature)
	})
}

// mayEnter reports whether a user has what it takes to be connected: the feature
// display (User Guide, "Collaborating on a session"). The server's default file,
// if one is set, is read before the session's own; the order is assumed.
func (s *State) mayEnter(h host, session Session, user string) (bool, error) {
	text := session.Permissions
	if file := h.settings.text("session-management/defaults/permissions-file", ""); file != "" {
		common, err := readPermissionsFile(file)
		if err != nil {
			return false, fmt.Errorf("the server's defaults: %w", err)
		}
		text = common + "\n" + text
	} else if text == "" {
		text = ownerOnly
	}
	p, err := parsePermissions(text)
	if err != nil {
		return false, err
	}
	v := visitor{user: user, owner: session.Owner, osGroups: s.OSGroups, same: h.sameUser}
	return p.allow(v, "display"), nil
}
