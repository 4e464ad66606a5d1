package radius

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/dcvix/dcvix/auth"
)

const (
	maxSteps     = 8       // challenges in one login
	maxPrompt    = 500     // bytes of a prompt
	maxChallenge = 4 << 10 // bytes of a State of ours
)

// A challenge is what a second step needs to know of the first one.
type challenge struct {
	User   string `json:"user"`
	Server string `json:"server"`
	State  []byte `json:"state,omitempty"` // the server's, 253 bytes at most
	Steps  int    `json:"steps"`           // challenges in this login, this one included
}

// newChallenge makes the challenge of a server one that a person can be asked.
func newChallenge(reply *radius.Packet, s *server, q question) (*auth.Challenge, error) {
	states, err := rfc2865.State_Gets(reply)
	if err != nil || len(states) > 1 {
		return nil, errors.New("its challenge has several State attributes")
	}
	c := challenge{User: q.user, Server: s.address, Steps: q.steps + 1}
	if len(states) == 1 {
		c.State = states[0]
	}
	if c.Steps > maxSteps {
		return nil, fmt.Errorf("it has challenged the same login %d times: look at its rules", maxSteps)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("radius challenge: %w", err)
	}
	return &auth.Challenge{Prompt: promptOf(reply), State: base64.RawURLEncoding.EncodeToString(text)}, nil
}

// openChallenge reads the State of a challenge of ours.
func openChallenge(state string) (challenge, bool) {
	if len(state) > maxChallenge {
		return challenge{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil {
		return challenge{}, false
	}
	var c challenge
	if err := json.Unmarshal(text, &c); err != nil {
		return challenge{}, false
	}
	return c, len(c.State) <= maxAttribute && c.Steps >= 1 && c.Steps <= maxSteps
}

// promptOf returns the Reply-Message attributes as one line without anything
// that moves a terminal or turns the direction of a text.
func promptOf(reply *radius.Packet) string {
	lines, err := rfc2865.ReplyMessage_GetStrings(reply)
	if err != nil {
		lines = nil
	}
	line := strings.ToValidUTF8(strings.Join(lines, " "), "�")
	line = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, line)
	if line = strings.Join(strings.Fields(line), " "); line == "" {
		return "One-time password"
	}
	if len(line) > maxPrompt {
		cut := maxPrompt
		for !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut]
	}
	return line
}
