package dcvix

// LoginRequest carries a person's credentials.
type LoginRequest struct {
	UserID    string `json:"userID"`
	Password  string `json:"password"`
	OTP       string `json:"otp"`
	Challenge string `json:"challenge,omitempty"` // from the answer that asked for a second step
}

// LoginOptions says what a login form should ask for.
type LoginOptions struct {
	OTP OTPMode `json:"otp"`
}

// An OTPMode says whether a login takes a one-time password.
type OTPMode string

// The modes of [LoginOptions].
const (
	OTPNever    OTPMode = "never"
	OTPOptional OTPMode = "optional"
	OTPRequired OTPMode = "required"
)

// CookieName is the cookie that carries a login token.
const CookieName = "dcvix_session"

// ServersResponse lists the names that a user may ask a session on.
type ServersResponse struct {
	Servers []string `json:"servers"`
	Reason  string   `json:"reason,omitempty"` // why the list is empty, a sentence
}

// CreateSessionRequest asks the director for a session, on a host or anywhere in a
// pool. A user's own name comes from the login; UserID and SessionID count for
// admins alone.
type CreateSessionRequest struct {
	ServerID    string `json:"serverId,omitempty"`
	PoolID      string `json:"poolId,omitempty"` // in the place of ServerID
	SessionType string `json:"sessionType"`
	UserID      string `json:"userId,omitempty"`
	SessionID   string `json:"sessionId,omitempty"`
}

// CreateSessionResponse names the session to connect to.
type CreateSessionResponse struct {
	SessionID   SessionID   `json:"sessionID"`
	ServerID    Hostname    `json:"serverId,omitempty"`
	SessionType SessionType `json:"sessionType,omitempty"`
	Reused      bool        `json:"reused,omitempty"` // the user already had it
}

// DesktopsResponse lists what a user may open.
type DesktopsResponse struct {
	Desktops []Desktop `json:"desktops"`         // pools, then workstations, each in the order of the policy, then other hosts where the user has a session
	Custom   bool      `json:"custom,omitempty"` // the user may name any other host too
}

// A Desktop is something that a user may open: a host, or a pool of hosts.
type Desktop struct {
	Kind     DesktopKind   `json:"kind"`
	Name     string        `json:"name"`               // what a [CreateSessionRequest] names
	ServerID Hostname      `json:"serverId,omitempty"` // recorded name of the host; "" for a pool, or when none is registered
	State    string        `json:"state"`              // such as "ready"; the list grows
	Detail   string        `json:"detail"`             // one sentence for the user; it names no other user
	Types    []SessionType `json:"types"`              // that can be had now
	Sessions []Session     `json:"sessions"`           // the user's own
	Hosts    int           `json:"hosts"`              // of a pool; 1 for a host
	Free     int           `json:"free"`               // of the Hosts: those that can take a new session of the user's
}

// A DesktopKind says what a [Desktop] is.
type DesktopKind string

// The kinds of desktops.
const (
	DesktopHost DesktopKind = "host"
	DesktopPool DesktopKind = "pool"
)

// ConnectionTokenResponse is all that a viewer needs. Token is a secret that
// opens one session for one user. Host, Port and SessionID are those of the DCV
// server, or what to ask the connection gateway for: Host may be an address then,
// and SessionID {id}-{server}.
type ConnectionTokenResponse struct {
	Token      string    `json:"token"`
	Host       Hostname  `json:"host,omitempty"`
	Port       int       `json:"port,omitempty"`
	WebURLPath string    `json:"webUrlPath,omitempty"`
	SessionID  SessionID `json:"sessionId,omitempty"`
	ExpiresAt  Time      `json:"expiresAt,omitzero"`
}

// CloseSessionResponse is the answer to a close.
type CloseSessionResponse struct {
	Status  string `json:"status"` // "success"
	Code    int    `json:"code"`   // 200
	Message string `json:"message"`
	Body    string `json:"body"`
}
