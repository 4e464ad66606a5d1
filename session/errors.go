package session

import (
	"errors"
	"fmt"
)

// Errors that callers can act on. The broker wraps them with what it was doing;
// the more particular ones wrap the general ones.
var (
	ErrNotFound   = errors.New("not found")
	ErrConflict   = errors.New("not possible as things are")
	ErrForbidden  = errors.New("not allowed")
	ErrInvalid    = errors.New("not well formed")
	ErrNoCapacity = errors.New("no host can take the session")

	// ErrAgentFailed and ErrAgentTimeout are what an [AgentCaller] returns.
	ErrAgentFailed  = errors.New("the agent failed")
	ErrAgentTimeout = errors.New("the agent did not answer in time")

	// Answers to an agent that asks to be registered.
	ErrPending     = errors.New("pending approval")
	ErrRevoked     = errors.New("the agent is revoked")
	ErrKeyMismatch = errors.New("another key is pinned to this GUID")
	ErrBadToken    = errors.New("the registration token is wrong or missing")
	ErrTooMany     = errors.New("too many agents are pending")

	// ErrWrongState says that an agent is not in the state that an act needs.
	ErrWrongState = errors.New("the agent is in another state")

	// Reasons for a conflict.
	ErrNameTaken    = conflict("a registered agent has this host name")
	ErrNameReserved = conflict("the host name is the director's own")
	ErrNoKey        = conflict("the agent's key is not known")
	ErrConsoleTaken = conflict("the host's console belongs to somebody else")
	ErrOtherType    = conflict("the host runs sessions of the other type")
	ErrIDTaken      = conflict("the host has a session of this id")
	ErrNoVirtual    = conflict("the host has no virtual sessions")
	ErrMaintenance  = conflict("the host is in maintenance")
	ErrClosing      = conflict("the session is just being closed")
	ErrAmbiguous    = conflict("several hosts have a session of this id")
)

// A conflictError is an [ErrConflict] with its reason.
type conflictError string

func conflict(reason string) error { return conflictError(reason) }

func (e conflictError) Error() string { return string(e) }

// Is makes every conflict an [ErrConflict] for [errors.Is].
func (e conflictError) Is(target error) bool { return target == ErrConflict }

// A NameTakenError is an [ErrNameTaken] with both agents, for an admin to compare.
type NameTakenError struct {
	Asks  Agent // would have the name
	Holds Agent // is registered and has it
}

// Error returns both agents' ids.
func (e *NameTakenError) Error() string {
	return fmt.Sprintf("%v: %s, and %s asks for it", ErrNameTaken, e.Holds.ID, e.Asks.ID)
}

// Unwrap returns [ErrNameTaken].
func (e *NameTakenError) Unwrap() error { return ErrNameTaken }
