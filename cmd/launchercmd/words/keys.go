package words

// Steps on the way to a desktop: sentences without their ends.
const (
	LoggingIn      Key = "logging-in"
	StillLoggingIn Key = "still-logging-in"
	Asking         Key = "asking"
	StillAsking    Key = "still-asking"
	TypeConsole    Key = "type-console"
	TypeVirtual    Key = "type-virtual"
	Ready          Key = "ready"
	Reusing        Key = "reusing"
	SendingQuality Key = "sending-quality"
	QualityRefused Key = "quality-refused"
	FetchingKey    Key = "fetching-key"
	StartingViewer Key = "starting-viewer"
	ViewerRuns     Key = "viewer-runs"
	ViewerGone     Key = "viewer-gone"
	ViewerGoneSoon Key = "viewer-gone-soon"
	LinkGiven      Key = "link-given"
	Closing        Key = "closing"
)

// States of desktops, in a few words.
const (
	StateReady       Key = "state-ready"
	StateFree        Key = "state-free"
	StateOwn         Key = "state-own"
	StateInUse       Key = "state-in-use"
	StatePassing     Key = "state-passing"
	StateBusy        Key = "state-busy"
	StateMaintenance Key = "state-maintenance"
	StateOffline     Key = "state-offline"
	StateStarting    Key = "state-starting"
	StateUnusable    Key = "state-unusable"
)

// Errors of a login and of the way to the director.
const (
	NoBroker    Key = "no-broker"
	BrokerSet   Key = "broker-set"
	BadUser     Key = "bad-user"
	NoPassword  Key = "no-password"
	Cancelled   Key = "cancelled"
	LoggedOut   Key = "logged-out"
	Untrusted   Key = "untrusted"
	Unreachable Key = "unreachable"
	NotDirector Key = "not-director"
	RequestID   Key = "request-id"
)

// Trusting a director.
const (
	TrustSet   Key = "trust-set"
	OtherCA    Key = "other-ca"
	NoCA       Key = "no-ca"
	OtherName  Key = "other-name"
	Expired    Key = "expired"
	NotVouched Key = "not-vouched"
)

// Errors of desktops.
const (
	BadName        Key = "bad-name"
	NothingToClose Key = "nothing-to-close"
	TooOldToClose  Key = "too-old-to-close"
)

// Options and what is remembered.
const (
	QualityRange    Key = "quality-range"
	QualityOrder    Key = "quality-order"
	OptionUnknown   Key = "option-unknown"
	OptionLong      Key = "option-long"
	OptionControl   Key = "option-control"
	QuoteOpen       Key = "quote-open"
	MemoryUnread    Key = "memory-unread"
	MemoryBroken    Key = "memory-broken"
	MemoryUnwritten Key = "memory-unwritten"
)

// The viewer and its connection files.
const (
	NoViewer        Key = "no-viewer"
	ViewerMute      Key = "viewer-mute"
	ViewerUnstarted Key = "viewer-unstarted"
	ViewerCode      Key = "viewer-code"
	ViewerSignal    Key = "viewer-signal"
	ViewerEnded     Key = "viewer-ended"
	ViewerEndedSoon Key = "viewer-ended-soon"
	LinkFailed      Key = "link-failed"
	FolderUnmade    Key = "folder-unmade"
	FolderNone      Key = "folder-none"
	FolderOpen      Key = "folder-open"
	FileUnwritten   Key = "file-unwritten"
)

// The terminal.
const (
	ConfWritten    Key = "conf-written"
	ConfNote       Key = "conf-note"
	Unchecked      Key = "unchecked"
	NoWindow       Key = "no-window"
	OneAct         Key = "one-act"
	JSONAlone      Key = "json-alone"
	TypeAlone      Key = "type-alone"
	StrayWord      Key = "stray-word"
	BrokerMissing  Key = "broker-missing"
	AskUser        Key = "ask-user"
	AskPassword    Key = "ask-password"
	AskCode        Key = "ask-code"
	NoTerminal     Key = "no-terminal"
	NothingEntered Key = "nothing-entered"
	UserFlag       Key = "user-flag"
	NoDesktops     Key = "no-desktops"
	AnyHost        Key = "any-host"
	Running        Key = "running"
	PoolWord       Key = "pool-word"
	TrustHint      Key = "trust-hint"
	LineLong       Key = "line-long"
)

// Links that begin with dcvix:// and the program that is started for them.
const (
	BadLink        Key = "bad-link"
	NotYours       Key = "not-yours"
	AskOpen        Key = "ask-open"
	Yes            Key = "yes"
	NotOpened      Key = "not-opened"
	LinksInstalled Key = "links-installed"
	LinksRemoved   Key = "links-removed"
	LinksWhat      Key = "links-what"
	LinksFailed    Key = "links-failed"
)
