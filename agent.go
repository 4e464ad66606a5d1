package dcvix

// RegisterRequest is what an agent sends to ask for a certificate.
type RegisterRequest struct {
	CSR      []byte  `json:"csr"` // PKCS #10 in DER, base64 on the wire
	GUID     AgentID `json:"guid"`
	Hostname string  `json:"hostname"`

	RegistrationToken string `json:"registrationToken,omitempty"` // needed of unknown agents when the director has one
	AgentPort         int    `json:"agentPort,omitempty"`         // where the agent listens; 0 means the director's agent_port
}

// RegisterResponse is the answer to a registered agent.
type RegisterResponse struct {
	Certificate            string  `json:"certificate"` // PEM, the agent's own first, intermediates after it
	CA                     string  `json:"ca"`          // PEM of the certificate that issues the director's own
	AgentID                AgentID `json:"agentId"`
	RenewalIntervalSeconds int     `json:"renewalIntervalSeconds"` // how often to look whether to renew
}

// PendingResponse is the body of the 403 that tells an agent to ask again.
type PendingResponse struct {
	Error string `json:"error"` // always [PendingApproval]
}

// PendingApproval is the text of [PendingResponse].
const PendingApproval = "pending approval"

// RenewRequest is what a registered agent sends for a new certificate.
type RenewRequest struct {
	CSR []byte `json:"csr"`
}

// RenewResponse is the answer to [RenewRequest].
type RenewResponse struct {
	Certificate            string `json:"certificate"`
	RenewalIntervalSeconds int    `json:"renewalIntervalSeconds"`
}

// An AgentUpdate is what an agent reports about its host.
type AgentUpdate struct {
	Sessions []Session `json:"sessions"`
	Stats    Stats     `json:"stats"`
	Tags     []string  `json:"tags"`

	AgentPort             int      `json:"agentPort,omitempty"`
	DCVPort               int      `json:"dcvPort,omitempty"`               // web port of the DCV server; 0 means 8443
	UpdateIntervalSeconds int      `json:"updateIntervalSeconds,omitempty"` // how often reports come; 0 means not said
	Version               string   `json:"version,omitempty"`
	Problems              []string `json:"problems,omitempty"` // what is wrong on the host, one sentence each

	GPUs    []GPU    `json:"gpus,omitempty"`
	Licence *Licence `json:"licence,omitempty"` // nil: not known, as on a host without a session
}

// Stats are the figures of a host at the moment of a report.
type Stats struct {
	Hostname    string  `json:"hostname"`
	FreeMemory  uint64  `json:"free_memory"`  // bytes
	TotalMemory uint64  `json:"total_memory"` // bytes
	Cores       int     `json:"cores"`
	CPUUsage    float64 `json:"cpu_usage"` // percent of all cores, 0 to 100
	Load1       float64 `json:"load1"`
	Load5       float64 `json:"load5"`
	Load15      float64 `json:"load15"`
}

// A GPU is a graphics card of a host and its figures at the moment of a report. A
// figure that the card does not have or say is 0.
type GPU struct {
	Index        int     `json:"index"`         // of the driver, from 0
	Model        string  `json:"model"`         // such as "NVIDIA L4"
	Driver       string  `json:"driver"`        // its version
	Usage        float64 `json:"usage"`         // percent, 0 to 100
	EncoderUsage float64 `json:"encoder_usage"` // percent, 0 to 100: of the video encoder
	UsedMemory   uint64  `json:"used_memory"`   // bytes
	TotalMemory  uint64  `json:"total_memory"`  // bytes
	Temperature  float64 `json:"temperature"`   // degrees Celsius
}

// A Licence is what the DCV server of a host says of its licence with the sessions
// that it lists. The words are those of DCV: no documentation lists them.
type Licence struct {
	Mode     string            `json:"mode"` // such as "demo"; "" is not said
	Products []LicensedProduct `json:"products,omitempty"`
}

// A LicensedProduct is a part of DCV that needs a licence.
type LicensedProduct struct {
	Product   string `json:"product"` // "dcv" or "dcv-gl"
	Status    string `json:"status"`  // such as "licensed"
	CheckedAt Time   `json:"checked_at"`
	ExpiresAt Time   `json:"expires_at"` // never: not said
}

// A Session is a DCV session in the words of the dcv command, and, when it comes
// from the director, with where and when it was seen.
type Session struct {
	ID                    SessionID   `json:"id"`
	Owner                 Username    `json:"owner"`
	User                  string      `json:"user"`
	NumOfConnections      int         `json:"num-of-connections"`
	CreationTime          Time        `json:"creation-time"`
	LastDisconnectionTime Time        `json:"last-disconnection-time"`
	LicensingMode         string      `json:"licensing-mode"`
	StorageRoot           string      `json:"storage-root"`
	Type                  SessionType `json:"type"`
	Status                string      `json:"status"`
	X11Display            string      `json:"x11-display"`
	X11Authority          string      `json:"x11-authority"`

	UID      string   `json:"uid,omitempty"`       // id and server, joined by "-"
	ServerID Hostname `json:"server_id,omitempty"` // the host it is on
	LastSeen Time     `json:"last-seen,omitzero"`
}

// The status words that the director adds to those of DCV.
const (
	StatusCreating = "creating" // it was asked for and is not there yet
	StatusClosing  = "closing"  // a close was asked for
	StatusUnknown  = "unknown"  // its host has been silent for too long
)

// AgentCreateSession asks an agent for a session.
type AgentCreateSession struct {
	UserID      Username    `json:"userId"`
	SessionType SessionType `json:"sessionType"`
	SessionID   SessionID   `json:"sessionId"`
}

// AgentCreatedSession is the agent's answer, with status 201: the session asked
// for, or the one that the user already had of that type.
type AgentCreatedSession struct {
	SessionID SessionID `json:"sessionID"`
}

// A ConfigRequest asks an agent to change settings of its DCV server.
type ConfigRequest struct {
	Config []Setting `json:"config"`
}

// A Setting is one value of the configuration of a DCV server.
type Setting struct {
	Section string `json:"section"` // such as "display", or "session-management/defaults"
	Key     string `json:"key"`     // such as "quality"
	Value   string `json:"value"`   // a GVariant in its text form, such as "(30, 80)"
}
