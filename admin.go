package dcvix

// An AgentState is where an agent stands with the director.
type AgentState string

// The states of an agent, in the order it goes through them.
const (
	AgentPending    AgentState = "pending" // asked to join; nobody approved it yet
	AgentRegistered AgentState = "registered"
	AgentRevoked    AgentState = "revoked" // may come back to registered
)

// An Agent is an entry of the director's register as an admin sees it.
type Agent struct {
	GUID         AgentID    `json:"guid"`
	Hostname     Hostname   `json:"hostname"`
	State        AgentState `json:"state"`
	CreatedAt    Time       `json:"created_at"`
	RegisteredAt Time       `json:"registered_at"`
	LastSeenAt   Time       `json:"last_seen_at"`
	CertSerial   string     `json:"cert_serial"`
	Tags         []string   `json:"tags"`

	Fingerprint       string     `json:"fingerprint"`                  // of the agent's key, in the form the agent prints
	RequestedHostname Hostname   `json:"requested_hostname,omitempty"` // the name it wishes to have instead
	Aliases           []Hostname `json:"aliases,omitempty"`
	Conflict          bool       `json:"conflict,omitempty"` // another key was seen under this GUID
	Version           string     `json:"version,omitempty"`
	OrphanedBy        AgentID    `json:"orphaned_by,omitempty"` // the pending agent that seems to be the same host with a new key
}

// ApproveRequest is the optional body of an approval.
type ApproveRequest struct {
	Replace bool       `json:"replace,omitempty"` // revoke the registered agent that holds the name
	Aliases []Hostname `json:"aliases,omitempty"`
}

// MaxApprovals is how many agents one [ApproveManyRequest] may name.
const MaxApprovals = 10_000

// An ApproveManyRequest asks for the approval of agents under the names they asked
// for. It replaces nobody.
type ApproveManyRequest struct {
	GUIDs []AgentID `json:"guids"` // 1 to [MaxApprovals]
}

// An ApproveManyResponse says what became of each agent, in the order asked.
type ApproveManyResponse struct {
	Results []ApproveResult `json:"results"`
}

// An ApproveResult is what became of the approval of one agent of many.
type ApproveResult struct {
	GUID   AgentID `json:"guid"`
	Status int     `json:"status"`           // what the approval of this agent alone would have been answered; 200 is approved
	Detail string  `json:"detail,omitempty"` // why it was not
}

// A Denial is of an agent that an admin sent away less than a day ago.
type Denial struct {
	GUID        AgentID `json:"guid"`
	Fingerprint string  `json:"fingerprint"` // of the agent's key, in the form the agent prints
	DeniedAt    Time    `json:"denied_at"`
}

// A Server is a host that reports, as an admin sees it.
type Server struct {
	Stats

	AgentIP  string    `json:"agent_ip"`
	Tags     []string  `json:"tags"`
	LastSeen Time      `json:"last-seen"`
	Sessions []Session `json:"sessions"`
	Problems []string  `json:"problems,omitempty"`
	GPUs     []GPU     `json:"gpus,omitempty"`
	Licence  *Licence  `json:"licence,omitempty"`
}
