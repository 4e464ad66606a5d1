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

	GUID        AgentID      `json:"guid,omitempty"` // of its agent
	Version     string       `json:"version,omitempty"`
	Silent      bool         `json:"silent,omitempty"` // it has not reported for too long; its sessions are unknown
	Maintenance *Maintenance `json:"maintenance,omitempty"`
}

// A Maintenance says why a host gets no new sessions.
type Maintenance struct {
	Message string   `json:"message"` // for people; may be ""
	By      Username `json:"by"`      // the admin who decided it
	Since   Time     `json:"since"`
}

// A ServerDetail is all that is known of one host. Of one that does not report,
// the figures are 0 and the sessions none.
type ServerDetail struct {
	Server

	Reports bool  `json:"reports"` // also while it is silent; else the director has not heard of it, or not for long
	Agent   Agent `json:"agent"`
}

// A DrainRequest is the optional body of what keeps new sessions from a host.
type DrainRequest struct {
	Message string `json:"message,omitempty"` // for people; one line of up to 300 characters
}

// An ExplainRequest asks what would happen if somebody asked for a session, on a
// host or anywhere in a pool.
type ExplainRequest struct {
	UserID      string   `json:"userId"`
	Groups      []string `json:"groups,omitempty"` // that the user's login would bring
	ServerID    string   `json:"serverId,omitempty"`
	PoolID      string   `json:"poolId,omitempty"`
	SessionType string   `json:"sessionType"`
}

// An Explanation says which host would be chosen, and why.
type Explanation struct {
	Strategy string       `json:"strategy,omitempty"` // of the pool
	Chosen   Hostname     `json:"chosen,omitempty"`   // "" when no host
	Hosts    []HostReason `json:"hosts"`              // in the order of the policy
}

// A HostReason says why a host would be chosen or not.
type HostReason struct {
	Name     string   `json:"name"`               // as the policy writes it
	ServerID Hostname `json:"serverId,omitempty"` // recorded name; "" when no registered agent is meant
	Code     string   `json:"code"`               // such as "free"; the list grows
	Reason   string   `json:"reason"`             // one sentence for an admin: it names other users
	Chosen   bool     `json:"chosen,omitempty"`
	Load     float64  `json:"load,omitempty"`     // 1 is all that the host has; 0 unless it can take the session
	Sessions int      `json:"sessions,omitempty"` // likewise
}

// An AuditResponse is a page of the audit.
type AuditResponse struct {
	Records []AuditRecord `json:"records"`       // the newest first
	Next    Time          `json:"next,omitzero"` // what before is for the next page; never: there is none
}

// An AuditRecord says who did what, and what came of it.
type AuditRecord struct {
	Time      Time   `json:"time"` // to the millisecond
	Action    string `json:"action"`
	Outcome   string `json:"outcome"` // "ok", "refused", "failed" or "challenged"
	Role      string `json:"role,omitempty"`
	Actor     string `json:"actor,omitempty"` // user name, or an agent's GUID
	Address   string `json:"address,omitempty"`
	RequestID string `json:"requestId,omitempty"`
	Target    string `json:"target,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
	Count     int    `json:"count,omitempty"` // how many like it this record stands for; 0 means 1
}

// An AuditFormat is a form in which the audit is exported.
type AuditFormat string

// The formats of an export of the audit.
const (
	AuditJSONLines AuditFormat = "jsonl" // an [AuditRecord] a line
	AuditCSV       AuditFormat = "csv"   // RFC 4180, the first line names the columns; formulas are text
)

// An AuditQuery says which records of the audit to read. Its zero value asks for
// the newest of all.
type AuditQuery struct {
	Before  Time   // only earlier records
	Since   Time   // only these and later ones
	Actor   string // "" means everybody, as below
	Action  string // one that ends with a dot means all that begin so, such as "session."
	Outcome string
	Target  string
	Text    string // what stands in any text of a record, in letters of either case
	Limit   int    // about how many, up to 500: records of one moment stay together; 0 means 100
}
