package standalone_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
)

func TestNewAgentsOfOneAddressAreBoundedAsAsked(t *testing.T) {
	opts := options(t)
	opts.PendingPerAddress = 2
	s := open(t, t.TempDir(), opts)
	pending(t, s, "ws1")
	pending(t, s, "ws2")
	_, err := s.Broker().Register(t.Context(), session.Registration{ID: "third", Hostname: "ws3"})
	require.ErrorIs(t, err, session.ErrTooMany)
}
