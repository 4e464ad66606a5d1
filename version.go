package dcvix

// ProtocolVersion counts the changes of the protocol; a director says its own
// in [Health]. History:
//
//   - 1: the 0.1 generation. Its directors do not say a number.
//   - 2: 2026-11-22. Plain-text and problem errors with true statuses, request
//     ids, the endpoint beside a connection token, GET /v1/ca, dcvPort and
//     agentPort in reports.
const ProtocolVersion = 2

// Version is the version of this build. The linker sets it (-X).
var Version = "0.2.0-dev" //nolint:gochecknoglobals // set by the linker, never written again

// Health is the answer to GET /v1/health.
type Health struct {
	Status   string `json:"status"` // "healthy"
	Protocol int    `json:"protocol,omitempty"`
	Version  string `json:"version,omitempty"`
}
