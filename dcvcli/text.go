package dcvcli

import (
	"fmt"
	"strings"
)

// parseSessionsText reads the text form of list-sessions. The guide shows the
// first of these lines, the second was seen in use, as was the sentence for none:
//
//	Session: cad-0042 (owner:lbianchi type:virtual name:'CAD seat 42')
//	Session: 'ws-17-console' (owner:mrossi type:console)
//	There are no sessions available.
func parseSessionsText(out []byte) ([]Session, error) {
	sessions := []Session{}
	var odd tally
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line == "There are no sessions available." {
			continue
		}
		if s, ok := parseSessionLine(line); ok {
			sessions = append(sessions, s)
		} else {
			odd.add(fmt.Errorf("%w: line %.200q", ErrUnknownForm, line))
		}
	}
	return whole("list-sessions", sessions, odd)
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
	id, kind = unquote(id), strings.ToLower(kind)
	if id == "" || kind != Console && kind != Virtual {
		return Session{}, false
	}
	return Session{ID: id, Owner: owner, Type: kind, Name: unquote(name), ActivityUnknown: true}, true
}

// parseSessionText reads the text form of describe-session as the guide shows it:
//
//	Session: cad-0042
//	    owner: lbianchi
//	    name: CAD seat 42
//	    x display: :7
//	    x authority: /run/user/2042/dcv/cad-0042.xauth
//	    display layout: 1600x900+0+0
//
// Scripts in use ignore the case of the words, and so does this.
func parseSessionText(out []byte) (Session, error) {
	s := Session{ActivityUnknown: true}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "session":
			if s.ID != "" {
				return Session{}, fmt.Errorf("dcv describe-session: %w: two sessions", ErrUnknownForm)
			}
			s.ID = unquote(value)
		case "owner":
			s.Owner = unquote(value)
		case "name":
			s.Name = unquote(value)
		case "x display":
			s.X11Display = value
		case "x authority":
			s.X11Authority = value
		case "display layout":
			if layout, err := ParseLayout(value); err == nil {
				s.DisplayLayout = layout
			}
		}
	}
	if s.ID == "" {
		return Session{}, fmt.Errorf("dcv describe-session: %w: it begins with: %s", ErrUnknownForm, firstLine(out))
	}
	return s, nil
}

// unquote takes single quotes off. Releases differ in where they put them.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}
