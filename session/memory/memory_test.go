package memory_test

import (
	"testing"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func TestStore(t *testing.T) {
	sessiontest.TestStore(t, func(testing.TB) session.Store { return new(memory.Store) })
}
