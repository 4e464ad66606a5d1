package dcvcli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// jsonSession, jsonLicense, jsonDisplay and jsonConnection have the keys of the
// command's JSON. Unknown ones are ignored: every release adds some. Only what
// identifies a thing has to be of the known form; the rest is [lenient].
type jsonSession struct {
	ID                    string                     `json:"id"`
	Owner                 lenient[string]            `json:"owner"`
	User                  lenient[string]            `json:"user"`
	Name                  lenient[string]            `json:"name"`
	Type                  lenient[string]            `json:"type"`
	Status                lenient[string]            `json:"status"`
	NumOfConnections      lenient[uint32]            `json:"num-of-connections"`
	CreationTime          lenient[jsonTime]          `json:"creation-time"`
	LastDisconnectionTime lenient[jsonTime]          `json:"last-disconnection-time"`
	Licenses              lenient[[]json.RawMessage] `json:"licenses"`
	LicensingMode         lenient[string]            `json:"licensing-mode"`
	StorageRoot           lenient[string]            `json:"storage-root"`
	X11Display            lenient[string]            `json:"x11-display"`
	X11Authority          lenient[string]            `json:"x11-authority"`
	DisplayLayout         lenient[[]json.RawMessage] `json:"display-layout"`
}

type jsonLicense struct {
	Product        lenient[string]   `json:"product"`
	Status         lenient[string]   `json:"status"`
	CheckTimestamp lenient[jsonTime] `json:"check-timestamp"`
	ExpirationDate lenient[jsonTime] `json:"expiration-date"`
}

type jsonDisplay struct {
	Width  int `json:"width"`
	Height int `json:"height"`
	X      int `json:"x"`
	Y      int `json:"y"`
}

type jsonConnection struct {
	ID                  uint64            `json:"id"`
	Username            lenient[string]   `json:"username"`
	UserAgent           lenient[string]   `json:"user-agent"`
	ClientMode          lenient[string]   `json:"client-mode"`
	Transport           lenient[string]   `json:"transport"`
	ConnectionTime      lenient[jsonTime] `json:"connection-time"`
	FirstFrameTime      lenient[jsonTime] `json:"first-frame-time"`
	LastInteractionTime lenient[jsonTime] `json:"last-interaction-time"`
}

// lenient is a value that may be missing, null or of another form, which is then
// the zero value.
type lenient[T string | uint32 | jsonTime | []json.RawMessage] struct {
	value T
	said  bool // neither missing nor null
	odd   bool // of another form
}

// UnmarshalJSON implements [json.Unmarshaler]. It never fails.
func (l *lenient[T]) UnmarshalJSON(b []byte) error {
	*l = lenient[T]{said: string(b) != "null"}
	if json.Unmarshal(b, &l.value) != nil {
		*l = lenient[T]{said: true, odd: true}
	}
	return nil
}

// jsonTime reads RFC 3339 with and without a fraction: releases differ. "Never"
// is "".
type jsonTime struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *jsonTime) UnmarshalJSON(b []byte) error {
	if string(b) == "null" || string(b) == `""` {
		*t = jsonTime{}
		return nil
	}
	parsed, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b))
	if err != nil {
		return fmt.Errorf("time %.40q is not RFC 3339", b)
	}
	*t = jsonTime{parsed}
	return nil
}

func (s jsonSession) session() (Session, error) {
	if s.ID == "" {
		return Session{}, fmt.Errorf("%w: a session without an id", ErrUnknownForm)
	}
	return Session{
		ID:                    s.ID,
		Owner:                 s.Owner.value,
		User:                  s.User.value,
		Name:                  s.Name.value,
		Type:                  strings.ToLower(s.Type.value),
		Status:                strings.ToLower(s.Status.value),
		NumOfConnections:      int(s.NumOfConnections.value),
		ActivityUnknown:       !s.NumOfConnections.said || s.NumOfConnections.odd || s.CreationTime.odd || s.LastDisconnectionTime.odd,
		CreationTime:          s.CreationTime.value.Time,
		LastDisconnectionTime: s.LastDisconnectionTime.value.Time,
		Licenses:              licenses(s.Licenses.value),
		LicensingMode:         strings.ToLower(s.LicensingMode.value),
		StorageRoot:           s.StorageRoot.value,
		X11Display:            s.X11Display.value,
		X11Authority:          s.X11Authority.value,
		DisplayLayout:         displays(s.DisplayLayout.value),
	}, nil
}

// licenses leaves out what says neither a product nor a status.
func licenses(entries []json.RawMessage) []License {
	var list []License
	for _, entry := range entries {
		var l jsonLicense
		if json.Unmarshal(entry, &l) != nil || l.Product.value == "" && l.Status.value == "" {
			continue
		}
		list = append(list, License{
			Product:        l.Product.value,
			Status:         strings.ToLower(l.Status.value),
			CheckTimestamp: l.CheckTimestamp.value.Time,
			ExpirationDate: l.ExpirationDate.value.Time,
		})
	}
	return list
}

// displays leaves out what has no extent.
func displays(entries []json.RawMessage) []Display {
	var list []Display
	for _, entry := range entries {
		var d jsonDisplay
		if json.Unmarshal(entry, &d) != nil || d.Width <= 0 || d.Height <= 0 {
			continue
		}
		list = append(list, Display(d))
	}
	return list
}

// looksLikeJSON tells the array of list-sessions --json from its text form.
func looksLikeJSON(out []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(out), []byte("["))
}

func parseSessions(out []byte) ([]Session, error) {
	var list []jsonSession
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("dcv list-sessions: %w: %w", ErrUnknownForm, err)
	}
	sessions := make([]Session, 0, len(list))
	for _, entry := range list {
		s, err := entry.session()
		if err != nil {
			return nil, fmt.Errorf("dcv list-sessions: %w", err)
		}
		sessions = append(sessions, s)
	}
	return sessions, nil
}

func parseSession(out []byte) (Session, error) {
	var entry jsonSession
	if err := json.Unmarshal(out, &entry); err != nil {
		return Session{}, fmt.Errorf("dcv describe-session: %w: %w", ErrUnknownForm, err)
	}
	s, err := entry.session()
	if err != nil {
		return Session{}, fmt.Errorf("dcv describe-session: %w", err)
	}
	return s, nil
}

func parseConnections(out []byte) ([]Connection, error) {
	var list []jsonConnection
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, fmt.Errorf("dcv list-connections: %w: %w", ErrUnknownForm, err)
	}
	connections := make([]Connection, 0, len(list))
	for _, c := range list {
		connections = append(connections, Connection{
			ID:                  c.ID,
			Username:            c.Username.value,
			UserAgent:           c.UserAgent.value,
			ClientMode:          strings.ToLower(c.ClientMode.value),
			Transport:           strings.ToLower(c.Transport.value),
			ConnectionTime:      c.ConnectionTime.value.Time,
			FirstFrameTime:      c.FirstFrameTime.value.Time,
			LastInteractionTime: c.LastInteractionTime.value.Time,
		})
	}
	return connections, nil
}
