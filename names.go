package dcvix

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An AgentID names an agent for as long as its host keeps it: a random UUID
// (RFC 9562 version 4) in canonical lower-case form. The protocol calls it GUID.
type AgentID string

// A SessionID names a DCV session on its host. Ids that the director makes are
// unique; ids such as "console" repeat across hosts.
type SessionID string

// A Username is the canonical name of a person as the login backend returns it.
type Username string

// A Hostname is the name of a DCV host: RFC 1123, lower case, no final dot.
type Hostname string

// A SessionType says what kind of desktop a DCV session shows.
type SessionType string

// The kinds of session that DCV knows. A host has at most one console session
// and never both kinds at once.
const (
	SessionConsole SessionType = "console"
	SessionVirtual SessionType = "virtual"
)

// AllowCustom is the workstation name in a policy that lets its user name any
// registered host.
const AllowCustom = "ALLOW_CUSTOM"

// AgentCommonName is what the common name of an agent's certificate starts
// with; the agent's id follows.
const AgentCommonName = "dcvix-agent-"

// DirectorCommonName is the common name of the director's certificate.
const DirectorCommonName = "dcvix-director"

// Errors that the Validate methods return, wrapped with what is wrong.
var (
	ErrBadAgentID     = errors.New("not a canonical UUID of version 4")
	ErrBadSessionID   = errors.New("not a session id")
	ErrBadUsername    = errors.New("not a user name")
	ErrBadHostname    = errors.New("not a host name")
	ErrBadSessionType = errors.New("not a session type")
)

var agentIDForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// Validate returns an error that wraps [ErrBadAgentID] unless the id is a
// canonical UUID of version 4.
func (id AgentID) Validate() error {
	if !agentIDForm.MatchString(string(id)) {
		return fmt.Errorf("%.40q: %w", string(id), ErrBadAgentID)
	}
	return nil
}

// Validate returns an error that wraps [ErrBadSessionID] unless the id has 1 to
// 64 letters, digits, "_" and "-" and starts with a letter or a digit. DCV
// documents no grammar; this one is safe in a file name, a URL and an argument.
func (id SessionID) Validate() error {
	if !id.wellFormed() {
		return fmt.Errorf("%.80q: %w: use letters, digits, \"_\" and \"-\"", string(id), ErrBadSessionID)
	}
	return nil
}

// wellFormed is no regular expression because strangers can ask for many ids.
func (id SessionID) wellFormed() bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !isLower(c) && !isDigit(c) && !('A' <= c && c <= 'Z') && (i == 0 || c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Validate returns an error that wraps [ErrBadUsername] unless the name is 1 to
// 256 bytes of UTF-8 without control characters that does not start with "-".
func (u Username) Validate() error {
	switch {
	case u == "", len(u) > 256:
		return fmt.Errorf("%w: it needs 1 to 256 bytes", ErrBadUsername)
	case !utf8.ValidString(string(u)):
		return fmt.Errorf("%w: it is not UTF-8", ErrBadUsername)
	case strings.ContainsFunc(string(u), unicode.IsControl):
		return fmt.Errorf("%w: it contains a control character", ErrBadUsername)
	case u[0] == '-':
		return fmt.Errorf("%w: it starts with \"-\"", ErrBadUsername)
	}
	return nil
}

// ParseHostname returns name in lower case and without a final dot, or an error
// that wraps [ErrBadHostname]. An address is no host name.
func ParseHostname(name string) (Hostname, error) {
	h := Hostname(lower(strings.TrimSuffix(name, ".")))
	if err := h.Validate(); err != nil {
		return "", err
	}
	return h, nil
}

// lower maps ASCII letters alone: Unicode has signs outside ASCII whose lower
// case is inside (U+212A, the Kelvin sign), and two names that look different
// must not become one.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// isLabel says whether a text can be between the dots of a host name.
func isLabel(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isDigit(c) && (c != '-' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return 1 <= len(s) && len(s) <= 63
}

// Validate returns an error that wraps [ErrBadHostname] unless the name follows
// RFC 1123 in lower case, at most 253 bytes, with a last label that is no number,
// decimal or hexadecimal (so that no IPv4 address passes, in no notation that
// resolvers take for one).
func (h Hostname) Validate() error {
	if len(h) == 0 || len(h) > 253 {
		return fmt.Errorf("%.80q: %w: it needs 1 to 253 bytes", string(h), ErrBadHostname)
	}
	last := ""
	for label := range strings.SplitSeq(string(h), ".") {
		if !isLabel(label) {
			return fmt.Errorf("%.80q: %w: use letters, digits, \"-\" and dots", string(h), ErrBadHostname)
		}
		last = label
	}
	if isNumber(last) {
		return fmt.Errorf("%.80q: %w: its last label is a number", string(h), ErrBadHostname)
	}
	return nil
}

func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// FirstLabel returns the part of the name before its first dot.
func (h Hostname) FirstLabel() string {
	label, _, _ := strings.Cut(string(h), ".")
	return label
}

// ParseSessionType reads a session type without regard to case, as launchers of
// the 0.1 generation send it capitalised. The empty string is a console.
func ParseSessionType(s string) (SessionType, error) {
	switch t := SessionType(lower(s)); t {
	case "":
		return SessionConsole, nil
	case SessionConsole, SessionVirtual:
		return t, nil
	default:
		return "", fmt.Errorf("%.80q: %w: it is \"console\" or \"virtual\"", s, ErrBadSessionType)
	}
}
