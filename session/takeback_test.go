package session_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func TestARevokedAgentIsNotApprovedWhoeverHasItsNameNow(t *testing.T) {
	d := newDirector(t)
	old := d.join(t, "ws1")
	require.NoError(t, d.Revoke(t.Context(), old.ID))
	d.join(t, "ws1")
	for _, replace := range []bool{false, true} {
		require.ErrorIs(t, d.Approve(t.Context(), old.ID, session.Approval{Replace: replace}), session.ErrWrongState)
	}
}

func TestAnAgentWhoseNameBecameTheDirectorsIsNotTakenBack(t *testing.T) {
	var reserved []dcvix.Hostname
	d := newDirector(t, func(c *session.Config) { c.Reserved = func() []dcvix.Hostname { return reserved } })
	a := d.join(t, "ws1")
	require.NoError(t, d.Revoke(t.Context(), a.ID))
	reserved = []dcvix.Hostname{"ws1"}
	require.ErrorIs(t, d.Reactivate(t.Context(), a.ID), session.ErrNameReserved)
	assert.Equal(t, dcvix.AgentRevoked, d.entry(t, a.ID).State)
	reserved = nil
	assert.NoError(t, d.Reactivate(t.Context(), a.ID))
}
