package dcvclitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// sessionJSON has the keys of list-sessions and describe-session in the order in
// which the command prints them. Optional ones are pointers.
type sessionJSON struct {
	ID                    string        `json:"id"`
	Owner                 string        `json:"owner"`
	User                  *string       `json:"user,omitempty"`
	Name                  *string       `json:"name,omitempty"`
	NumOfConnections      int           `json:"num-of-connections"`
	CreationTime          *string       `json:"creation-time"`
	LastDisconnectionTime *string       `json:"last-disconnection-time"`
	Licenses              []licenceJSON `json:"licenses"`
	LicensingMode         *string       `json:"licensing-mode,omitempty"`
	StorageRoot           string        `json:"storage-root"`
	Type                  string        `json:"type"`
	Status                *string       `json:"status,omitempty"`
	X11Display            string        `json:"x11-display"`
	X11Authority          string        `json:"x11-authority"`
	DisplayLayout         []displayJSON `json:"display-layout,omitempty"`
	Extra                 *extraJSON    `json:"fake-unknown-key,omitempty"`
}

// extraJSON is what no release has printed so far.
type extraJSON struct {
	Nested []*extraJSON `json:"fake-nested"`
}

type licenceJSON struct {
	Product        string     `json:"product"`
	Status         string     `json:"status"`
	CheckTimestamp *string    `json:"check-timestamp"`
	ExpirationDate string     `json:"expiration-date"`
	Extra          *extraJSON `json:"fake-unknown-key,omitempty"`
}

type displayJSON struct {
	Display

	Extra *extraJSON `json:"fake-unknown-key,omitempty"`
}

// connectionJSON has the keys of list-connections that were seen in use.
type connectionJSON struct {
	ID                  uint64     `json:"id"`
	Username            string     `json:"username"`
	UserAgent           string     `json:"user-agent"`
	ClientMode          string     `json:"client-mode"`
	Transport           string     `json:"transport"`
	ConnectionTime      *string    `json:"connection-time"`
	FirstFrameTime      *string    `json:"first-frame-time"`
	LastInteractionTime *string    `json:"last-interaction-time"`
	Extra               *extraJSON `json:"fake-unknown-key,omitempty"`
}

// describe returns the session as the command shows it: the keys that were seen
// in use or, for [DocLiteral], those of the documented sample.
func (h host) describe(s Session) sessionJSON {
	d := sessionJSON{
		ID: s.ID, Owner: s.Owner,
		NumOfConnections:      len(s.Connections),
		CreationTime:          h.stamp(s.CreationTime),
		LastDisconnectionTime: h.stamp(s.LastDisconnectionTime),
		Licenses:              []licenceJSON{h.licence("dcv", s)},
		StorageRoot:           s.StorageRoot,
		Type:                  s.Type,
		X11Display:            s.X11Display,
		X11Authority:          s.X11Authority,
		Extra:                 h.extra(),
	}
	for _, head := range s.layout() {
		d.DisplayLayout = append(d.DisplayLayout, displayJSON{head, h.extra()})
	}
	if s.Name != "" || h.literal {
		d.Name = &s.Name
	}
	if h.literal {
		d.Licenses = append(d.Licenses, h.licence("dcv-gl", s))
		return d
	}
	mode := "demo"
	if h.faults.UpperCase {
		mode = "DEMO"
	}
	d.User, d.Status, d.LicensingMode = &s.User, new("created"), &mode
	return d
}

// licence returns an evaluation licence of 30 days.
func (h host) licence(product string, s Session) licenceJSON {
	status := "licensed"
	if h.faults.UpperCase {
		status = "LICENSED"
	}
	return licenceJSON{
		Product: product, Status: status, CheckTimestamp: h.stamp(h.now),
		ExpirationDate: s.CreationTime.UTC().Truncate(24*time.Hour).AddDate(0, 0, 30).Format(time.RFC3339),
		Extra:          h.extra(),
	}
}

func (h host) describeConnection(c Connection) connectionJSON {
	return connectionJSON{
		ID: c.ID, Username: c.User, UserAgent: c.UserAgent, ClientMode: "classic", Transport: "websocket",
		ConnectionTime: h.stamp(c.ConnectionTime), FirstFrameTime: h.stamp(c.ConnectionTime), LastInteractionTime: h.stamp(c.ConnectionTime),
		Extra: h.extra(),
	}
}

// extra returns a value for a key that nobody has seen, if there is to be one.
func (h host) extra() *extraJSON {
	if !h.faults.ExtraKeys {
		return nil
	}
	return &extraJSON{Nested: []*extraJSON{nil, {}}}
}

// stamp returns a time as JSON shows it: six digits of every second, and "" for
// never. nil is null.
func (h host) stamp(t time.Time) *string {
	layout := "2006-01-02T15:04:05.000000Z"
	switch {
	case t.IsZero() && h.faults.NullTimes:
		return nil
	case t.IsZero():
		return new("")
	case h.faults.NoFraction || h.literal:
		layout = "2006-01-02T15:04:05Z"
	}
	return new(t.UTC().Format(layout))
}

// printJSON prints v as the command does: two spaces to a level and one before
// every colon. Scripts in the field search for exactly that.
func printJSON(v any) ([]byte, error) { // any, as json.Marshal has it
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	var out bytes.Buffer
	inString, escaped := false, false
	for _, b := range plain.Bytes() {
		switch {
		case escaped:
			escaped = false
		case inString && b == '\\':
			escaped = true
		case b == '"':
			inString = !inString
		case b == ':' && !inString:
			out.WriteByte(' ')
		}
		out.WriteByte(b)
	}
	return out.Bytes(), nil
}
