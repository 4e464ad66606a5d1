package dcvix

// A HostHistory is the last hour of a host as it reported it.
type HostHistory struct {
	ServerID    Hostname      `json:"serverId"`
	Begin       Time          `json:"begin"`       // of the first step
	StepSeconds int           `json:"stepSeconds"` // 60
	Samples     []*HostSample `json:"samples"`     // one a step, 60 of them, nil where no report came; the last step goes on
}

// A HostSample is what a host last said within one step of its [HostHistory].
// Percents are 0 to 100, and nil when they are not known.
type HostSample struct {
	CPU         float64  `json:"cpu"` // percent of all cores
	Memory      *float64 `json:"memory,omitempty"`
	GPU         *float64 `json:"gpu,omitempty"`       // mean of all cards
	GPUMemory   *float64 `json:"gpuMemory,omitempty"` // of all cards together
	Load        float64  `json:"load"`                // of one minute
	Sessions    int      `json:"sessions"`
	Connections int      `json:"connections"` // clients of all sessions
}

// An Overview is what an admin looks at first: how things are, and what needs a
// person.
type Overview struct {
	Version        string        `json:"version"`      // of the director
	LastReportAt   Time          `json:"lastReportAt"` // of any host; never: none since the start
	Hosts          HostCounts    `json:"hosts"`
	Sessions       SessionCounts `json:"sessions"`
	Agents         AgentCounts   `json:"agents"`
	PolicyProblems int           `json:"policyProblems"`
	BusiestPool    *PoolUse      `json:"busiestPool,omitempty"` // absent: no pool has a session
	History        LoadHistory   `json:"history"`

	CA           CertificateEnd   `json:"ca"`
	Certificates []CertificateEnd `json:"certificates"` // those that end soon, the first to end first; up to [MaxOverview]
	Licences     []LicenceEnd     `json:"licences"`     // DCV's demo, or ended, or to end within 30 days; the first to end first; up to [MaxOverview]

	Attention      []Attention `json:"attention"`      // the most pressing first; up to [MaxOverview]
	AttentionTotal int         `json:"attentionTotal"` // how many there are in all
}

// MaxOverview is how many entries each list of an [Overview] has at most.
const MaxOverview = 100

// HostCounts are the hosts of registered agents. Each is counted once, in the first
// of the states that it is in.
type HostCounts struct {
	Total    int `json:"total"`
	Drained  int `json:"drained"`
	Silent   int `json:"silent"`   // they have not reported for too long
	Starting int `json:"starting"` // not heard of since the director started, and still waited for
	Offline  int `json:"offline"`  // they do not report
	Ready    int `json:"ready"`
}

// SessionCounts are sessions of all hosts.
type SessionCounts struct {
	Total     int `json:"total"`
	Connected int `json:"connected"` // those with a client
}

// AgentCounts are the entries of the register.
type AgentCounts struct {
	Pending    int `json:"pending"`
	Registered int `json:"registered"`
	Revoked    int `json:"revoked"`
	Conflicts  int `json:"conflicts"` // of those pending and registered: another key was seen under the GUID
}

// A PoolUse says how much of a pool is in use.
type PoolUse struct {
	ID    string `json:"id"`
	Hosts int    `json:"hosts"`
	Used  int    `json:"used"` // those with a session
	Free  int    `json:"free"` // those that can take a session of one more user, of the type that most can
}

// A LoadHistory is how many sessions there were at most in each quarter of an hour
// of the last 24 hours.
type LoadHistory struct {
	Begin       Time             `json:"begin"`       // of the first step
	StepSeconds int              `json:"stepSeconds"` // 900
	Points      []*SessionCounts `json:"points"`      // one a step, 96 of them, nil for when the director did not run; the last step goes on
}

// A CertificateEnd says when a certificate ends.
type CertificateEnd struct {
	ServerID    Hostname `json:"serverId,omitempty"`    // the host of an agent; "" for the director's own certificate and the CA's
	GUID        AgentID  `json:"guid,omitempty"`        // likewise
	Fingerprint string   `json:"fingerprint,omitempty"` // of the certificate, in the form that the director logs; of the CA and the director alone
	EndsAt      Time     `json:"endsAt"`
}

// A LicenceEnd says what is to be known of the DCV licence of a host.
type LicenceEnd struct {
	ServerID Hostname `json:"serverId"`
	Product  string   `json:"product,omitempty"` // of DCV
	Demo     bool     `json:"demo,omitempty"`
	EndsAt   Time     `json:"endsAt"` // never: not said
}

// An Attention is something that needs a person.
type Attention struct {
	Kind     string   `json:"kind"`     // such as "agent-pending"; the list grows
	Severity Severity `json:"severity"` // of a kind it may differ
	Text     string   `json:"text"`     // one plain sentence
	Since    Time     `json:"since"`    // never: not known

	ServerID    Hostname `json:"serverId,omitempty"`    // the host that it is about
	GUID        AgentID  `json:"guid,omitempty"`        // the agent that it is about
	PoolID      string   `json:"poolId,omitempty"`      // the pool that it is about
	Fingerprint string   `json:"fingerprint,omitempty"` // of the key of an agent that is to be compared, in the form that the agent prints

	// Acts are what may settle it, the likeliest first: "approve", "deny", "revoke",
	// "reactivate" and "drain" are acts of this API, "open" is to look at the host,
	// "policy" at the policy. The list grows; empty means that it is settled
	// elsewhere, as the text says.
	Acts []string `json:"acts"`
}

// A Severity says how pressing something is.
type Severity string

// The severities, the most pressing first.
const (
	SeverityCritical Severity = "critical" // something is broken, or soon will be for all
	SeverityWarning  Severity = "warning"  // somebody waits, or a host cannot do its work
	SeverityNotice   Severity = "notice"
)
