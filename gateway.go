package dcvix

// PathResolveSession is what a connection gateway asks ("Session resolver" in the
// Amazon DCV Connection Gateway administrator guide), with the query parameters of
// [ResolveSessionRequest]. It is no part of /v1/ because gateways add it to the
// address of their resolver.
const PathResolveSession = "/resolveSession"

// The transports of [ResolveSessionRequest].
const (
	TransportHTTP = "HTTP"
	TransportQUIC = "QUIC"
)

// A ResolveSessionRequest asks where a session is. Gateways send it as a query;
// what asks the resolver of the 0.1 generation sends it as a body.
type ResolveSessionRequest struct {
	SessionID       string `json:"sessionId"`                 // or {id}-{server}
	Transport       string `json:"transport"`                 // [TransportHTTP] or [TransportQUIC]
	ClientIPAddress string `json:"clientIpAddress,omitempty"` // of the viewer, or of what is before the gateway; "" when not known
}

// A ResolvedSession is the answer to a gateway.
type ResolvedSession struct {
	SessionID         SessionID `json:"SessionId"` // the real one, which the gateway asks the DCV server for
	TransportProtocol string    `json:"TransportProtocol"`
	DCVServerEndpoint Hostname  `json:"DcvServerEndpoint"`
	Port              int       `json:"Port"`
	WebURLPath        string    `json:"WebUrlPath"`
}

// An OldResolvedSession is the answer to a [ResolveSessionRequest] in a body.
type OldResolvedSession struct {
	SessionID         SessionID `json:"sessionId"`
	TransportProtocol string    `json:"transportProtocol"`
	DCVServerEndpoint Hostname  `json:"dcvServerEndpoint"`
	Port              string    `json:"port"`
	WebURLPath        string    `json:"webUrlPath"`
}
