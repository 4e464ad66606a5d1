package session_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/session"
)

// The whole table in words: what is not here changes nothing.
func TestTheLifeOfASession(t *testing.T) {
	want := map[string]string{
		"gone, reserved":         "requested",
		"gone, answered":         "ready",
		"gone, listed idle":      "ready",
		"gone, listed in use":    "in use",
		"requested, called":      "creating",
		"requested, failed":      "gone",
		"requested, overdue":     "gone",
		"creating, answered":     "ready",
		"creating, failed":       "gone",
		"creating, overdue":      "gone",
		"ready, close":           "closing",
		"ready, listed in use":   "in use",
		"ready, missing":         "gone",
		"ready, silence":         "unknown",
		"in use, close":          "closing",
		"in use, listed idle":    "ready",
		"in use, missing":        "gone",
		"in use, silence":        "unknown",
		"closing, failed":        "ready",
		"closing, overdue":       "ready",
		"closing, ended":         "closed",
		"closing, listed idle":   "ready",
		"closing, listed in use": "in use",
		"closing, missing":       "closed",
		"closed, reserved":       "requested",
		"closed, listed idle":    "ready",
		"closed, listed in use":  "in use",
		"closed, missing":        "gone",
		"unknown, close":         "closing",
		"unknown, listed idle":   "ready",
		"unknown, listed in use": "in use",
		"unknown, missing":       "gone",
	}
	got := make(map[string]string)
	session.EachTransition(func(from, event, to string) { got[from+", "+event] = to })
	assert.Equal(t, want, got)
}

// Whatever a session is, its host's word or its deadline ends what must not last.
func TestNoPhaseIsATrap(t *testing.T) {
	for from, passing := range session.Phases() {
		assert.Equal(t, from == "requested" || from == "creating" || from == "closing", passing, from)
		if passing {
			assert.NotEqual(t, from, session.Next(from, "overdue"))
		}
		if from != "gone" && from != "requested" && from != "creating" { // of these the answer decides
			gone := session.Next(session.Next(from, "missing"), "missing")
			assert.Equal(t, "gone", gone, "the host does not have what is %s", from)
			back := session.Next(session.Next(from, "listed in use"), "listed idle")
			assert.Equal(t, "ready", back, "the host has what is %s", from)
		}
	}
}
