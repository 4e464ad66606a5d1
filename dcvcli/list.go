package dcvcli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
)

// A PartialListError comes with a list of which some entries could be read and
// others could not. It wraps [ErrUnknownForm].
type PartialListError struct {
	Unread int   // how many entries are missing from the list; more than 0
	First  error // what was wrong with the first of them
}

// Error says how many entries could not be read, and why the first could not.
func (e *PartialListError) Error() string {
	return fmt.Sprintf("entries of the list that cannot be read: %d, the first because: %v", e.Unread, e.First)
}

// Unwrap returns First.
func (e *PartialListError) Unwrap() error { return e.First }

// List returns the sessions of the host that the caller of the command may see:
// all of them for root or an administrator. It returns an empty list, not nil,
// when there is none, and an error that wraps [ErrUnknownForm] when it cannot
// read what the command printed.
//
// Only an id is needed: any other value of a form that is not known is left out
// of its session. An entry without an id is left out of the list, and List then
// returns the others together with a [*PartialListError]. Use both to show what
// is there, and believe the error where an absent session matters. A list of which
// no entry can be read is no list.
//
// It asks for JSON. From servers that refuse that or print nothing it reads the
// text form, which has only id, owner, type and name. JSON that is cut off is an
// error: the text would hide for a moment who is connected.
func (c *CLI) List(ctx context.Context) ([]Session, error) {
	out, err := c.run(ctx, "list-sessions", "--json")
	if err == nil && startsWith(out, '[') {
		return parseSessions(out)
	}
	if pointless(ctx, err) {
		return nil, err
	}
	text := out
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		var textErr error
		if text, textErr = c.run(ctx, "list-sessions"); textErr != nil {
			return nil, both(err, textErr)
		}
	}
	return parseSessionsText(text)
}

// Describe returns one session. It returns an error that wraps [ErrNotFound] if
// there is none of that id, or none that the caller may see, and [ErrUnknownForm]
// when it cannot read what the command printed.
//
// From servers that give no JSON it reads the text form, which has only id,
// owner, name, X display, X authority and layout.
func (c *CLI) Describe(ctx context.Context, id string) (Session, error) {
	if err := checkID(id); err != nil {
		return Session{}, err
	}
	s, _, err := c.describe(ctx, id)
	return s, err
}

// describe returns a session and whether it was read from text, which lacks most
// fields.
func (c *CLI) describe(ctx context.Context, id string) (s Session, isText bool, err error) {
	out, err := c.run(ctx, "describe-session", id, "--json")
	if err == nil && startsWith(out, '{') {
		s, err = parseSession(out)
		return s, false, err
	}
	if err != nil {
		if err = c.explain(ctx, id, err); pointless(ctx, err) || errors.Is(err, ErrNotFound) {
			return Session{}, false, err
		}
	}
	text := out
	if err != nil || len(bytes.TrimSpace(out)) == 0 {
		var textErr error
		if text, textErr = c.run(ctx, "describe-session", id); textErr != nil {
			return Session{}, false, both(err, textErr)
		}
	}
	s, err = parseSessionText(text)
	return s, true, err
}

// Connections returns who is connected to a session: an empty list, not nil,
// when nobody is. It returns an error that wraps [ErrNotFound] if there is no
// session of that id, and [ErrUnknownForm] when it cannot read what the command
// printed, as from servers that give no JSON: nobody has published the text form.
// Entries that cannot be read are treated as those of [CLI.List].
func (c *CLI) Connections(ctx context.Context, id string) ([]Connection, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	out, err := c.run(ctx, "list-connections", id, "--json")
	if err != nil {
		return nil, c.explain(ctx, id, err)
	}
	return parseConnections(out)
}

// versionForm is what the first line of "dcv version" looks like since 2017; the
// product was called NICE DCV before release 2024.0.
var versionForm = regexp.MustCompile(`DCV ([0-9]{4}\.[0-9]{1,4}) \(r([0-9]{1,9})\)`)

// Version returns the release of the DCV server in the form of its release
// notes, such as "2025.0-20103". What does not look like a release is returned
// as the first line printed, at most 200 bytes of it.
//
// It reads the text form: nobody has published the keys of the JSON.
func (c *CLI) Version(ctx context.Context) (string, error) {
	out, err := c.run(ctx, "version")
	if err != nil {
		return "", err
	}
	line := firstLine(out)
	if m := versionForm.FindStringSubmatch(line); m != nil {
		return m[1] + "-" + m[2], nil
	}
	if line == "" {
		return "", fmt.Errorf("dcv version: %w: nothing", ErrUnknownForm)
	}
	return line, nil
}

// explain turns the failure of a command about one session into ErrNotFound when
// the session is not there: the words and the exit status do not say so.
func (c *CLI) explain(ctx context.Context, id string, failure error) error {
	if pointless(ctx, failure) {
		return failure
	}
	if _, there, err := c.find(ctx, id); there || err != nil {
		return failure
	}
	return fmt.Errorf("session %q: %w", id, ErrNotFound)
}

// find returns the session of that id from the list and whether it is there. It
// returns an error when it cannot know: a partial list shows that a session is
// there, not that it is gone.
func (c *CLI) find(ctx context.Context, id string) (s Session, there bool, err error) {
	sessions, err := c.List(ctx)
	for _, s := range sessions {
		if s.ID == id {
			return s, true, nil
		}
	}
	return Session{}, false, err
}

// both joins the failures of two forms of one command, which mostly say the same.
func both(err, textErr error) error {
	if err != nil && err.Error() == textErr.Error() {
		return err
	}
	return errors.Join(err, textErr)
}

// startsWith reports whether the first byte of out that is not blank is b.
func startsWith(out []byte, b byte) bool {
	out = bytes.TrimSpace(out)
	return len(out) > 0 && out[0] == b
}
