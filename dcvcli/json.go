package dcvcli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// jsonSession, jsonLicense, jsonDisplay and jsonConnection have the keys of the
// command's JSON. Unknown ones are ignored: every release adds some. Values of
// another form become zero values, see decode.
type jsonSession struct {
	ID                    string        `json:"id"`
	Owner                 string        `json:"owner"`
	User                  string        `json:"user"`
	Name                  string        `json:"name"`
	Type                  string        `json:"type"`
	Status                string        `json:"status"`
	NumOfConnections      jsonNumber    `json:"num-of-connections"`
	CreationTime          jsonTime      `json:"creation-time"`
	LastDisconnectionTime jsonTime      `json:"last-disconnection-time"`
	Licenses              []jsonLicense `json:"licenses"`
	LicensingMode         string        `json:"licensing-mode"`
	StorageRoot           string        `json:"storage-root"`
	X11Display            string        `json:"x11-display"`
	X11Authority          string        `json:"x11-authority"`
	DisplayLayout         []jsonDisplay `json:"display-layout"`
}

type jsonLicense struct {
	Product        string   `json:"product"`
	Status         string   `json:"status"`
	CheckTimestamp jsonTime `json:"check-timestamp"`
	ExpirationDate jsonTime `json:"expiration-date"`
}

type jsonDisplay struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	X      int `json:"x"`
	Y      int `json:"y"`
}

type jsonConnection struct {
	ID                  jsonNumber `json:"id"`
	Username            string     `json:"username"`
	UserAgent           string     `json:"user-agent"`
	ClientMode          string     `json:"client-mode"`
	Transport           string     `json:"transport"`
	ConnectionTime      jsonTime   `json:"connection-time"`
	FirstFrameTime      jsonTime   `json:"first-frame-time"`
	LastInteractionTime jsonTime   `json:"last-interaction-time"`
}

// jsonNumber is a number of 0 or more.
type jsonNumber struct {
	value uint64
	known bool // a number was there, and it is the value
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (n *jsonNumber) UnmarshalJSON(b []byte) error {
	value, err := strconv.ParseUint(string(b), 10, 64)
	*n = jsonNumber{value: value, known: err == nil}
	return nil
}

// small returns the number and whether it is known and not absurd, 0 otherwise.
func (n jsonNumber) small() (int, bool) {
	if !n.known || n.value > math.MaxInt32 {
		return 0, false
	}
	return int(n.value), true
}

// jsonTime is RFC 3339 with or without a fraction: releases differ. "Never" is "",
// null or no key at all.
type jsonTime struct {
	time.Time

	odd bool // it was in another form
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (t *jsonTime) UnmarshalJSON(b []byte) error {
	*t = jsonTime{}
	if string(b) == "null" || string(b) == `""` {
		return nil
	}
	parsed, err := time.Parse(time.RFC3339Nano, strings.Trim(string(b), `"`))
	*t = jsonTime{Time: parsed, odd: err != nil}
	return nil
}

// decode reads JSON into v. A value of another type than its place in v leaves
// that place as it is and fails nothing, as json.Unmarshal promises.
func decode(verb string, out []byte, v any) error { // any, as json.Unmarshal has it
	err := json.Unmarshal(out, v)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err == nil || odd {
		return nil
	}
	return fmt.Errorf("dcv %s: %w: %w", verb, ErrUnknownForm, err)
}

func (s jsonSession) session() (Session, error) {
	if s.ID == "" {
		return Session{}, fmt.Errorf("%w: a session without an id", ErrUnknownForm)
	}
	count, counted := s.NumOfConnections.small()
	return Session{
		ID:                    s.ID,
		Owner:                 s.Owner,
		User:                  s.User,
		Name:                  s.Name,
		Type:                  strings.ToLower(s.Type),
		Status:                strings.ToLower(s.Status),
		NumOfConnections:      count,
		CreationTime:          s.CreationTime.Time,
		LastDisconnectionTime: s.LastDisconnectionTime.Time,
		ActivityUnknown:       !counted || s.CreationTime.odd || s.LastDisconnectionTime.odd,
		Licenses:              licenses(s.Licenses),
		LicensingMode:         strings.ToLower(s.LicensingMode),
		StorageRoot:           s.StorageRoot,
		X11Display:            s.X11Display,
		X11Authority:          s.X11Authority,
		DisplayLayout:         displays(s.DisplayLayout),
	}, nil
}

// licenses leaves out what says neither a product nor a status.
func licenses(entries []jsonLicense) []License {
	var list []License
	for _, l := range entries {
		if l.Product == "" && l.Status == "" {
			continue
		}
		list = append(list, License{
			Product:        l.Product,
			Status:         strings.ToLower(l.Status),
			CheckTimestamp: l.CheckTimestamp.Time,
			ExpirationDate: l.ExpirationDate.Time,
		})
	}
	return list
}

// displays leaves out what has no extent.
func displays(entries []jsonDisplay) []Display {
	var list []Display
	for _, d := range entries {
		if d.Width > 0 && d.Height > 0 {
			list = append(list, Display(d))
		}
	}
	return list
}

func (c jsonConnection) connection() (Connection, error) {
	if !c.ID.known {
		return Connection{}, fmt.Errorf("%w: a connection without an id", ErrUnknownForm)
	}
	return Connection{
		ID:                  c.ID.value,
		Username:            c.Username,
		UserAgent:           c.UserAgent,
		ClientMode:          strings.ToLower(c.ClientMode),
		Transport:           strings.ToLower(c.Transport),
		ConnectionTime:      c.ConnectionTime.Time,
		FirstFrameTime:      c.FirstFrameTime.Time,
		LastInteractionTime: c.LastInteractionTime.Time,
	}, nil
}

// parseList reads a JSON array.
func parseList[J, T any](verb string, out []byte, convert func(J) (T, error)) ([]T, error) { // any: two kinds of list
	if !startsWith(out, '[') {
		return nil, fmt.Errorf("dcv %s: %w: no JSON array", verb, ErrUnknownForm)
	}
	var entries []J
	if err := decode(verb, out, &entries); err != nil {
		return nil, err
	}
	list := make([]T, 0, len(entries))
	var odd tally
	for _, entry := range entries {
		if value, err := convert(entry); err != nil {
			odd.add(err)
		} else {
			list = append(list, value)
		}
	}
	return whole(verb, list, odd)
}

func parseSessions(out []byte) ([]Session, error) {
	return parseList("list-sessions", out, jsonSession.session)
}

func parseConnections(out []byte) ([]Connection, error) {
	return parseList("list-connections", out, jsonConnection.connection)
}

func parseSession(out []byte) (Session, error) {
	var entry jsonSession
	if err := decode("describe-session", out, &entry); err != nil {
		return Session{}, err
	}
	s, err := entry.session()
	if err != nil {
		return Session{}, fmt.Errorf("dcv describe-session: %w", err)
	}
	return s, nil
}

// A tally counts the entries of a list that could not be read.
type tally struct {
	unread int
	first  error
}

func (t *tally) add(err error) {
	if t.unread++; t.first == nil {
		t.first = err
	}
}

// whole returns a list that could be read as a whole, in part or not at all.
func whole[T any](verb string, list []T, odd tally) ([]T, error) { // any: two kinds of list
	switch {
	case odd.unread == 0:
		return list, nil
	case len(list) == 0:
		return nil, fmt.Errorf("dcv %s: %w", verb, odd.first)
	default:
		return list, fmt.Errorf("dcv %s: %w", verb, &PartialListError{Unread: odd.unread, First: odd.first})
	}
}
