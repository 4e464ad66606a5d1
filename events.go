package dcvix

// An Event is what a stream of events says: that something changed. An admin's
// stream names what to ask for again, a user's stream brings the user's desktops.
type Event struct {
	Kind     EventKind
	ID       string            // of the stream's; it only grows
	Changes  *Changes          // of [EventChanges]
	Desktops *DesktopsResponse // of [EventDesktops]
}

// An EventKind says what an [Event] is. A reader passes over those it does not know.
type EventKind string

// The kinds of events.
const (
	EventResync   EventKind = "resync"   // the stream has begun or events were missed: look at everything again
	EventChanges  EventKind = "changes"  // for admins
	EventDesktops EventKind = "desktops" // for users
)

// Changes say what looks different from the last time, each named once.
type Changes struct {
	Servers  []Hostname `json:"servers"`          // reported, fell silent, came or went, or are in maintenance or no longer
	Sessions []Hostname `json:"sessions"`         // hosts on which sessions began, ended or changed
	Agents   []AgentID  `json:"agents"`           // whose entry in the register changed
	Policy   bool       `json:"policy,omitempty"` // who may use what changed
}
