package session_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/session"
)

func TestSinceIsTheFirstFailureAfterASuccess(t *testing.T) {
	var f session.Failing
	assert.Zero(t, f.Since())
	full := errors.New("disk full")
	f.Note(start, full)
	f.Note(start.Add(time.Hour), full)
	assert.WithinDuration(t, start, f.Since(), 0)
	f.Note(start.Add(2*time.Hour), nil)
	assert.Zero(t, f.Since())
	f.Note(start.Add(3*time.Hour), full)
	assert.WithinDuration(t, start.Add(3*time.Hour), f.Since(), 0)
}
