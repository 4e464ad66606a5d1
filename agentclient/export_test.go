package agentclient

// Parsers of foreign bytes, for the fuzz tests.
var (
	ReadCreate = readCreate
	Clean      = clean
)

// ParseGrant and ParseRenewal say whether the answers are readable, and if so
// whether they hold what the caller goes on to use.
func ParseGrant(body []byte) (complete bool, err error) {
	g, err := parseGrant(body)
	return len(g.chain) > 0 && g.ca != nil, err
}

func ParseRenewal(body []byte) (complete bool, err error) {
	g, err := parseRenewal(body)
	return len(g.chain) > 0, err
}
