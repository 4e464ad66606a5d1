package dcvcli

import "time"

// A Session is a DCV session as the command prints it. What a server does not
// say, or says in a form that is not known, is the zero value.
//
// The fields are those of describe-session in the Administrator Guide, "Viewing
// Amazon DCV sessions"; User, Status and LicensingMode were seen in use.
type Session struct {
	ID                    string // never ""
	Owner                 string
	User                  string // whose account runs the desktop; "dcv" for a console
	Name                  string // shown to people
	Type                  string // [Console] or [Virtual], in lower case
	Status                string // in lower case; "created" is the only value seen in use
	NumOfConnections      int    // never negative
	CreationTime          time.Time
	LastDisconnectionTime time.Time // zero means never
	ActivityUnknown       bool      // the server did not say the three above in a form that is known: do not judge by them
	Licenses              []License // what the server found when it last looked; nil from servers that do not say
	LicensingMode         string    // in lower case; "demo" is the only value seen in use
	StorageRoot           string
	X11Display            string    // such as ":4", virtual only
	X11Authority          string    // path of the X authority file, virtual only
	DisplayLayout         []Display // nil when no display is there yet
}

// A License is one product that a session has a licence for.
type License struct {
	Product        string    // such as "dcv" or "dcv-gl"
	Status         string    // in lower case; "licensed" is the only value known
	CheckTimestamp time.Time // when the server last checked it; zero means not said
	ExpirationDate time.Time // zero means not said
}

// A Display is one head of a desktop, in pixels. Its place counts from the first
// head's upper left corner and may be negative.
type Display struct {
	Width, Height int // more than 0
	X, Y          int
}

// A Connection is one client of a session. No documentation lists its fields:
// these were seen in use.
type Connection struct {
	ID                  uint64 // counts up, unique on its server
	Username            string
	UserAgent           string
	ClientMode          string // in lower case, such as "classic"
	Transport           string // in lower case: "websocket" or "quic"
	ConnectionTime      time.Time
	FirstFrameTime      time.Time // zero means not yet
	LastInteractionTime time.Time // zero means never
}
