package privacyidea

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// An answer is what the server said, as far as it counts here.
type answer struct {
	accepted bool
	declined bool // of a poll: the person said no
	again    bool // the server says itself that this is a challenge, and not a wrong answer to one
	message  string
	serial   string // of the token
	// challenge is set when the person has to do one more thing.
	challenge *challenge
}

// A way says how a person answers a challenge.
type way string

const (
	wayCode way = "code" // with a code
	wayPush way = "push" // on the phone
	wayBoth way = "both" // with one of the two
	wayKey  way = "key"  // with a security key, which a form cannot do
)

// A challenge is an open question of the server. Its JSON is the State of an
// [auth.Challenge].
type challenge struct {
	ID  string `json:"id"` // the transaction_id
	Way way    `json:"way"`

	prompt string
}

// maxID bounds a transaction id, in bytes; the server makes 20 digits.
const maxID = 128

func (c *challenge) state() string {
	text, _ := json.Marshal(c) // two strings always can be
	return string(text)
}

func parseState(state string) (challenge, bool) {
	var c challenge
	if len(state) > 2*maxID || json.Unmarshal([]byte(state), &c) != nil || !isID(c.ID) {
		return challenge{}, false
	}
	return c, c.Way == wayCode || c.Way == wayBoth || c.Way == wayKey
}

func isID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_'
	})
}

// wireAnswer is the documented JSON. Servers leave out what a policy hides or
// what they are too old for.
type wireAnswer struct {
	Result *struct {
		Status         bool            `json:"status"`
		Value          json.RawMessage `json:"value"`
		Authentication string          `json:"authentication"`
		Error          *struct {
			Code    json.Number `json:"code"`
			Message string      `json:"message"`
		} `json:"error"`
	} `json:"result"`
	Detail json.RawMessage `json:"detail"`
}

type wireDetail struct {
	wireChallenge

	Status string          `json:"challenge_status"`
	Multi  []wireChallenge `json:"multi_challenge"`
}

type wireChallenge struct {
	Message     string `json:"message"`
	Serial      string `json:"serial"`
	Type        string `json:"type"`
	Mode        string `json:"client_mode"`
	Transaction string `json:"transaction_id"`
}

// parse reads an answer. It returns an error unless the server has decided. All
// texts of the server go through show.
func parse(body []byte, show func(string) string) (answer, error) {
	var w wireAnswer
	if err := json.Unmarshal(body, &w); err != nil || w.Result == nil {
		return answer{}, errors.New("its answer is not that of privacyIDEA")
	}
	if !w.Result.Status {
		if e := w.Result.Error; e != nil {
			return answer{}, fmt.Errorf("its error %s: %s", show(e.Code.String()), show(e.Message))
		}
		return answer{}, errors.New("it could not decide")
	}
	var a answer
	if err := json.Unmarshal(w.Result.Value, &a.accepted); err != nil || string(w.Result.Value) == "null" {
		return answer{}, errors.New("its answer is neither yes nor no")
	}
	said := w.Result.Authentication
	if a.accepted && said != "" && said != "ACCEPT" {
		return answer{}, fmt.Errorf("its answer contradicts itself: value true with %.20q", said)
	}
	var d wireDetail
	if json.Unmarshal(w.Detail, &d) != nil { // absent, or in a form that we do not know
		d = wireDetail{}
	}
	a.message, a.serial = show(d.Message), show(d.Serial)
	a.again = said == "CHALLENGE"
	a.declined = said == "DECLINED" || d.Status == "declined" || d.Status == "cancelled"
	if !a.accepted && !a.declined && (said == "" || said == "CHALLENGE") {
		a.challenge = d.challenge(show)
	}
	return a, nil
}

// challenge returns what the person can do, or nil when the server asks nothing.
func (d wireDetail) challenge(show func(string) string) *challenge {
	all := d.Multi
	if len(all) == 0 {
		all = []wireChallenge{d.wireChallenge}
	}
	c := &challenge{ID: d.Transaction}
	var code, push, key bool
	var prompts []string
	for _, one := range all {
		if c.ID == "" {
			c.ID = one.Transaction
		}
		switch mode := one.mode(); mode {
		case "interactive":
			code = true
			prompts = append(prompts, one.Message)
		case "poll":
			push = true
		default:
			key = true
		}
	}
	if !isID(c.ID) {
		return nil
	}
	switch {
	case code && push:
		c.Way = wayBoth
	case code:
		c.Way = wayCode
	case push:
		c.Way = wayPush
	case key:
		c.Way = wayKey
	}
	c.prompt = prompt(c.Way, show(strings.Join(prompts, " / ")))
	return c
}

// mode says how the challenge is answered. Old servers name the type of the
// token alone.
func (w wireChallenge) mode() string {
	switch {
	case w.Mode != "":
		return w.Mode
	case w.Type == "push":
		return "poll"
	case w.Type == "u2f" || w.Type == "webauthn" || w.Type == "passkey":
		return w.Type
	}
	return "interactive"
}

// prompt is what the person is asked.
func prompt(w way, question string) string {
	switch {
	case w == wayKey:
		return "Your security key cannot be used in this form: ask your admin for a token with codes"
	case question == "":
		return "One-time password"
	}
	return question
}

// maxText bounds what a server says, in characters.
const maxText = 300
