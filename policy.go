package dcvix

// A PolicyAccess is what the policy gives a user whose login brought certain
// groups. Where a part of it comes from is said in words: entry, file and line.
type PolicyAccess struct {
	User    Username     `json:"user"`
	Groups  []string     `json:"groups"`           // as they were asked for
	Entries []string     `json:"entries"`          // that count for the user; without any, the login leads to an empty list
	Admin   []string     `json:"admin,omitempty"`  // where it comes from that the user is an admin; empty when the user is none
	Custom  []string     `json:"custom,omitempty"` // where it comes from that the user may name any registered host; empty when not
	Hosts   []PolicyHost `json:"hosts"`            // in the order that the user is shown
	Pools   []PolicyPool `json:"pools"`            // whose members are among the hosts, in the same order
}

// A PolicyHost is a host that the policy gives.
type PolicyHost struct {
	Name string `json:"name"` // as the policy writes it
	From string `json:"from"`
	// Agents are the recorded names of the registered agents that the name could
	// mean: it works when there is one. Absent (nil) when no register was asked.
	Agents []Hostname `json:"agents,omitzero"`
}

// A PolicyPool is a pool that the policy gives.
type PolicyPool struct {
	ID       string   `json:"id"`
	From     string   `json:"from"`
	Hosts    []string `json:"hosts"`
	Strategy string   `json:"strategy,omitempty"` // absent: the director's default
	Require  []string `json:"require,omitempty"`  // tags that a host must have
}

// A PolicyResponse is the policy of this moment and what is wrong with it.
type PolicyResponse struct {
	Problems []PolicyProblem   `json:"problems"` // in the order of the files, then the hosts that the register does not bear out
	Entries  []PolicyEntry     `json:"entries"`  // users, then groups, each in the order of the file
	Pools    []PolicyPoolEntry `json:"pools"`    // in the order of the file
}

// A PolicyKind says whom an entry of the policy is about.
type PolicyKind string

// The kinds of a [PolicyEntry].
const (
	PolicyUser  PolicyKind = "user"
	PolicyGroup PolicyKind = "group" // that a login brings
)

// A PolicyEntry is an entry of users.json or groups.json that counts.
type PolicyEntry struct {
	Kind   PolicyKind `json:"kind"`
	Name   string     `json:"name"`
	File   string     `json:"file"` // without its folder
	Line   int        `json:"line"` // from 1
	Admin  bool       `json:"admin,omitempty"`
	Custom bool       `json:"custom,omitempty"` // it lets its users name any registered host
	Hosts  int        `json:"hosts"`            // that it names itself
	Pools  []string   `json:"pools,omitempty"`  // their ids
}

// A PolicyPoolEntry is an entry of pools.json that counts.
type PolicyPoolEntry struct {
	ID       string   `json:"id"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Hosts    []string `json:"hosts"`           // that it names itself
	Pools    []string `json:"pools,omitempty"` // ids of those inside it
	Total    int      `json:"total"`           // hosts, with those of pools inside it
	Strategy string   `json:"strategy,omitempty"`
	Require  []string `json:"require,omitempty"`
	Custom   bool     `json:"custom,omitempty"`
}

// A PolicyReach says who reaches a host or a pool by the policy of this moment.
type PolicyReach struct {
	Name     string          `json:"name"`               // of the host or the pool
	ServerID Hostname        `json:"serverId,omitempty"` // recorded name of the host; "" for a pool, or when no registered agent is meant
	By       []PolicyReacher `json:"by"`                 // whom the policy gives it: users, then groups
	Any      []PolicyReacher `json:"any"`                // who may besides name any registered host, and so this one
}

// A PolicyReacher is an entry of the policy through which somebody reaches
// something.
type PolicyReacher struct {
	Kind PolicyKind `json:"kind"`
	Name string     `json:"name"`
	From string     `json:"from"` // which file and line says so, through which pool
}

// A PolicyProblem is a mistake in a file of the policy that does not keep the rest
// from counting.
type PolicyProblem struct {
	File       string `json:"file"`       // without its folder
	Line       int    `json:"line"`       // from 1
	Entry      string `json:"entry"`      // such as: user "alice"
	Problem    string `json:"problem"`    // a sentence about the entry without its end
	Suggestion string `json:"suggestion"` // what to do, a sentence
}
