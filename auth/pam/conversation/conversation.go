// Package conversation is what a director and its PAM helper say to each other:
// one line of JSON each way, and the check of a service that both make.
//
// It imports the standard library alone, so that the program that handles
// passwords as root stays small.
package conversation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Version is that of the lines. Both sides refuse any other, so a director and a
// helper of different releases say so instead of misunderstanding each other.
const Version = 1

// Limits, in bytes.
const (
	MaxRequest = 8 << 10  // line of a request
	MaxAnswer  = 32 << 10 // line of an answer
	MaxSecret  = 511      // password or code: PAM_MAX_RESP_SIZE of libpam, less its final NUL
)

// A Request is the line that a helper reads. It holds secrets: it goes to the
// helper's standard input and nowhere else.
type Request struct {
	Version    int    `json:"version"`
	Check      bool   `json:"check,omitempty"`      // only look whether the service can be used
	Service    string `json:"service"`              // see [CheckService]
	ServiceDir string `json:"serviceDir,omitempty"` // in place of the system's folders
	User       string `json:"user,omitempty"`
	Password   []byte `json:"password,omitempty"` // bytes, because PAM knows no encoding
	OTP        []byte `json:"otp,omitempty"`      // for prompts that come after the password's
}

// An Answer is the line that a helper writes.
type Answer struct {
	Version  int      `json:"version"`
	Result   Result   `json:"result"`
	Phase    Phase    `json:"phase,omitempty"`    // in which the result came
	Detail   string   `json:"detail,omitempty"`   // for the operator; a sentence when the result is the helper's own
	User     string   `json:"user,omitempty"`     // PAM_USER at the end
	Wanted   bool     `json:"wanted,omitempty"`   // a prompt found no answer
	Prompt   string   `json:"prompt,omitempty"`   // its text; may be empty
	Messages []string `json:"messages,omitempty"` // what modules had to say, without secrets
}

// A Result is the name of a return code of libpam in lower case and without
// "PAM_", or one of the helper's own.
type Result string

// Results that are not libpam's, and its one for success.
const (
	Success    Result = "success"
	NotBuiltIn Result = "not_built_in" // the helper was built without PAM
	BadService Result = "bad_service"  // see [CheckService]
	BadRequest Result = "bad_request"  // not what [ReadRequest] takes
)

// A Phase is a part of a login.
type Phase string

// The phases of a login.
const (
	Start        Phase = "start"
	Authenticate Phase = "authenticate"
	Account      Phase = "account"
)

// Line returns v as a line of at most limit bytes.
func Line(v any, limit int) ([]byte, error) { // a Request or an Answer
	line, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(line) >= limit {
		return nil, fmt.Errorf("a line of %d bytes is longer than %d", len(line), limit)
	}
	return append(line, '\n'), nil
}

// ReadRequest reads one line and returns what it says. It does not wait for the
// end of the stream, which tells a helper to stop. The error holds nothing of the
// line.
func ReadRequest(r io.Reader) (Request, error) {
	text := make([]byte, 0, MaxRequest)
	for !bytes.ContainsRune(text, '\n') {
		if len(text) == cap(text) {
			return Request{}, errors.New("the request is too long")
		}
		n, err := r.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err != nil && !bytes.ContainsRune(text, '\n') {
			return Request{}, errors.New("the request has no end")
		}
	}
	var req Request
	line, rest, _ := bytes.Cut(text, []byte{'\n'})
	if len(rest) > 0 || decode(line, &req) != nil {
		return Request{}, errors.New("the request is not the line of JSON asked for")
	}
	return req, req.validate()
}

func (r Request) validate() error {
	switch {
	case r.Version != Version:
		return fmt.Errorf("the request has version %d, the helper has %d: install director and helper of one release", r.Version, Version)
	case !r.Check && (r.User == "" || strings.ContainsRune(r.User, 0)):
		return errors.New("the request names no user")
	case !Speakable(string(r.Password)), !Speakable(string(r.OTP)):
		return errors.New("the request has a secret that PAM cannot take")
	}
	return nil
}

// Speakable says whether PAM can take a secret as it is. One with a NUL would be
// cut there, and what is left may be somebody's password.
func Speakable(secret string) bool {
	return len(secret) <= MaxSecret && !strings.ContainsRune(secret, 0)
}

// ParseAnswer returns what text says, which is all that a helper wrote: one line.
// The error holds nothing of the text.
func ParseAnswer(text []byte) (Answer, error) {
	line, rest, whole := bytes.Cut(text, []byte{'\n'})
	var answer Answer
	switch {
	case len(text) == 0:
		return Answer{}, errors.New("it ended without an answer")
	case !whole || len(rest) > 0 || len(text) > MaxAnswer || decode(line, &answer) != nil:
		return Answer{}, errors.New("it did not answer in one line as it should")
	case answer.Version != Version:
		return Answer{}, fmt.Errorf("it answers in version %d, the director in %d: install director and helper of one release", answer.Version, Version)
	case answer.Result == "":
		return Answer{}, errors.New("its answer has no result")
	}
	return answer, nil
}

// decode reads one JSON value with known fields and nothing after it.
func decode(line []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value")
	}
	return nil
}
