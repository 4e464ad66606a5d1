package session

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
)

// A ReasonCode says for programs what a host is to somebody who wants a session.
// The list only grows.
type ReasonCode string

// The codes of a host.
const (
	ReasonOwn         ReasonCode = "own-session"       // the owner has such a session there
	ReasonFree        ReasonCode = "free"              // it can take the session
	ReasonReplaces    ReasonCode = "automatic-console" // it can, once the console that DCV made by itself is ended
	ReasonConsole     ReasonCode = "console-taken"     // its console is somebody else's
	ReasonOtherType   ReasonCode = "other-type"        // it has sessions of the other type
	ReasonID          ReasonCode = "id-taken"          // it has a session of the id that is wanted
	ReasonPlatform    ReasonCode = "platform"          // its system has no virtual sessions
	ReasonTags        ReasonCode = "tags"              // it lacks a tag that the pool requires
	ReasonMaintenance ReasonCode = "maintenance"       // an admin has drained it
	ReasonSilent      ReasonCode = "silent"            // it has not reported for too long
	ReasonOffline     ReasonCode = "offline"           // it does not report
	ReasonStarting    ReasonCode = "starting"          // the director has just started and has not heard of it yet
	ReasonNoAgent     ReasonCode = "not-registered"    // no registered agent goes by that name, or several do
	ReasonFailed      ReasonCode = "failed"            // its agent failed at this just now
	ReasonNotAllowed  ReasonCode = "not-allowed"       // the policy does not give it to who asks
)

// possible says whether a session comes of it.
func (c ReasonCode) possible() bool {
	return c == ReasonOwn || c == ReasonFree || c == ReasonReplaces
}

// many says it of so many hosts.
func (c ReasonCode) many(n int) string {
	words := map[ReasonCode]string{
		ReasonConsole: "in use", ReasonOtherType: "with sessions of the other type", ReasonID: "with a session of this id",
		ReasonPlatform: "without virtual sessions", ReasonTags: "without the tags that the pool requires",
		ReasonMaintenance: "in maintenance", ReasonSilent: "silent", ReasonOffline: "offline", ReasonStarting: "not heard of yet",
		ReasonNoAgent: "not registered", ReasonFailed: "failed at it",
	}
	return fmt.Sprintf("%d %s", n, words[c])
}

// A verdict is what one host is to somebody who wants a session.
type verdict struct {
	code  ReasonCode
	by    dcvix.Session // the session that is meant, if one is
	flags HostFlags
	since time.Time // when the host was last heard of; zero for never
	lacks []string  // tags

	load     float64 // when it can take the session
	sessions int     // likewise
}

// String says it to an admin, in one sentence.
func (v verdict) String() string {
	switch v.code {
	case ReasonOwn:
		return fmt.Sprintf("The owner's session %s is there.", v.by.ID)
	case ReasonFree:
		return "It can take the session."
	case ReasonReplaces:
		return fmt.Sprintf("It can, once the automatic console of %s is ended, which nobody is connected to.", v.by.Owner)
	case ReasonConsole:
		return fmt.Sprintf("Its console is taken by %s (session %s).", v.by.Owner, v.by.ID)
	case ReasonOtherType:
		return fmt.Sprintf("%s has the %s session %s there, and a host has one type at a time.", v.by.Owner, v.by.Type, v.by.ID)
	case ReasonID:
		return fmt.Sprintf("It has a session %s, of %s.", v.by.ID, v.by.Owner)
	case ReasonPlatform:
		return "DCV has virtual sessions on Linux alone."
	case ReasonTags:
		return "It lacks " + strings.Join(v.lacks, ", ") + "."
	case ReasonMaintenance:
		return v.flags.sentence()
	case ReasonSilent, ReasonOffline:
		return "It was last heard of: " + moment(v.since) + "."
	case ReasonStarting:
		return "The director has just started and has not heard of it yet."
	case ReasonNoAgent:
		return "No registered agent goes by this name, or more than one."
	case ReasonFailed:
		return "Its agent failed at this just now."
	case ReasonNotAllowed:
		return "The policy does not give it to the one who asks."
	}
	return string(v.code)
}

// err returns why a session cannot be had on that very host, nil when it can.
func (v verdict) err() error {
	switch v.code {
	case ReasonConsole:
		return ErrConsoleTaken
	case ReasonOtherType:
		return ErrOtherType
	case ReasonID:
		return ErrIDTaken
	case ReasonPlatform:
		return ErrNoVirtual
	case ReasonMaintenance:
		return &MaintenanceError{Message: v.flags.Message}
	default:
		return nil
	}
}

// A MaintenanceError is an [ErrMaintenance] with what the admin has to say.
type MaintenanceError struct{ Message string }

// Error returns the reason and the admin's message.
func (e *MaintenanceError) Error() string {
	if e.Message == "" {
		return ErrMaintenance.Error()
	}
	return ErrMaintenance.Error() + ": " + e.Message
}

// Sentence says it to people.
func (e *MaintenanceError) Sentence() string { return inMaintenance("The host", e.Message) }

// Unwrap returns [ErrMaintenance].
func (e *MaintenanceError) Unwrap() error { return ErrMaintenance }

// A NoCapacityError is an [ErrNoCapacity] with how many hosts of the pool cannot
// take the session for which reason. It names nobody.
type NoCapacityError struct {
	Pool   string
	Counts map[ReasonCode]int
}

// Error returns the pool and the reasons.
func (e *NoCapacityError) Error() string {
	return fmt.Sprintf("pool %q: %v: %s", e.Pool, ErrNoCapacity, e.Reasons())
}

// Reasons returns the counts in words, the largest first, such as "48 in use, 2 in
// maintenance".
func (e *NoCapacityError) Reasons() string {
	codes := slices.SortedFunc(maps.Keys(e.Counts), func(a, b ReasonCode) int {
		if d := e.Counts[b] - e.Counts[a]; d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, 0, len(codes))
	for _, c := range codes {
		parts = append(parts, c.many(e.Counts[c]))
	}
	if len(parts) == 0 {
		parts = []string{"it has no hosts"}
	}
	return strings.Join(parts, ", ")
}

// Unwrap returns [ErrNoCapacity].
func (e *NoCapacityError) Unwrap() error { return ErrNoCapacity }
