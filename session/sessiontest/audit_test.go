package sessiontest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func TestTheAuditLogInMemoryKeepsThePromises(t *testing.T) {
	sessiontest.TestAuditLog(t, func(testing.TB) session.AuditLog { return new(sessiontest.AuditLog) })
}

func TestTheAuditLogInMemoryFailsWhenItIsTold(t *testing.T) {
	l, full := new(sessiontest.AuditLog), errors.New("full")
	l.Fail(full)
	require.ErrorIs(t, l.Append(t.Context(), session.AuditRecord{}), full)
	l.Fail(nil)
	require.NoError(t, l.Append(t.Context(), session.AuditRecord{}))
}
