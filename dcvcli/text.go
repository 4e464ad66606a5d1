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
	return Session{ID: id, Owner: owner, Type: kind, Name: name, ActivityUnknown: true}, true
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		return s[1 : len(s)-1]
	}
	return s
}
