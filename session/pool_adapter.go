package session

// A Pool is a set of hosts that a user opens as one.
type Pool struct {
	ID       string
	Hosts    []string // names that the policy gives, in its order
	Strategy string   // one of [Strategies]; "" is the default
	Require  []string // tags that a host must have
}
