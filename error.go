package dcvix

// An ErrorCode says what went wrong, for programs. On the wire it is the last
// part of the problem type "urn:dcvix:{code}". The list is append only.
type ErrorCode string

// The codes that a director answers with.
const (
	CodeBadRequest       ErrorCode = "bad-request"
	CodeUnauthenticated  ErrorCode = "unauthenticated"
	CodeForbidden        ErrorCode = "forbidden"
	CodeNotFound         ErrorCode = "not-found"
	CodeMethodNotAllowed ErrorCode = "method-not-allowed"
	CodeConflict         ErrorCode = "conflict"
	CodeTooLarge         ErrorCode = "too-large"
	CodeTooMany          ErrorCode = "too-many-requests"
	CodeInternal         ErrorCode = "internal"
	CodeAgentFailed      ErrorCode = "agent-failed"
	CodeUnavailable      ErrorCode = "unavailable"
	CodeAgentTimeout     ErrorCode = "agent-timeout"
	CodeOTPRequired      ErrorCode = "otp-required"
)

// ProblemTypePrefix comes before an [ErrorCode] in the type of a [Problem].
const ProblemTypePrefix = "urn:dcvix:"

// A Problem is an error body of the director (RFC 9457), sent to clients that
// accept application/problem+json or application/json. Others get Detail alone
// as plain text.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // the request id

	Prompt    string `json:"prompt,omitempty"`    // with code otp-required: what to ask the person
	Challenge string `json:"challenge,omitempty"` // with code otp-required: goes into the next login
}

// An Error is a refusal as a caller of the director sees it.
type Error struct {
	Code      ErrorCode
	Message   string // one sentence that can be shown to a person
	Status    int    // HTTP status
	RequestID string // as in the director's log; may be empty
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Message }
