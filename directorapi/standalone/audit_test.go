package standalone_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

func TestThePolicyAndLoginsAreOnRecord(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, options(t))
	overwrite(t, dir, "policydb/users.json", `[{"id":"bob"}]`)
	require.NoError(t, s.ReloadPolicy(t.Context()))
	overwrite(t, dir, "policydb/users.json", "[\n\n{]")
	require.Error(t, s.ReloadPolicy(t.Context()))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, dcvix.PathUserLogin, strings.NewReader(`{"UserId":"nobody","Password":"x"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code, w.Body)

	got, err := s.Audit().Read(t.Context(), session.AuditQuery{})

	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, session.AuditPolicyReload, got[0].Action)
	assert.Equal(t, session.AuditOK, got[0].Outcome)
	assert.Equal(t, session.AuditFailed, got[1].Outcome)
	assert.Contains(t, got[1].Reason, "users.json:3")
	assert.Equal(t, session.AuditLogin, got[2].Action)
	n, err := auditfile.Verify(filepath.Join(dir, standalone.AuditFile))
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
}

func TestAPolicyThatIsReadAgainByItselfIsOnRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, err := standalone.Open(t.Context(), dir, options(t))
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		overwrite(t, dir, "policydb/users.json", `[{"id":"bob"}]`)
		time.Sleep(3*time.Second + time.Second/2) // not while the files are looked at, on the second
		overwrite(t, dir, "policydb/users.json", "[\n\n{]")
		time.Sleep(10 * time.Second) // looked at every second, refused once
		got, err := s.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditPolicyReload})
		require.NoError(t, err)
		require.Len(t, got, 2)
		assert.Equal(t, session.AuditOK, got[0].Outcome)
		assert.Equal(t, session.AuditFailed, got[1].Outcome)
		assert.Contains(t, got[1].Reason, "users.json:3")
		assert.Equal(t, session.AuditDirector, got[1].Role)
		stop()
		require.NoError(t, <-ran)
		require.NoError(t, s.Close())
	})
}

func TestTheAuditCanBeElsewhere(t *testing.T) {
	dir, opts := t.TempDir(), options(t)
	opts.AuditFile = filepath.Join(t.TempDir(), "who.jsonl")
	open(t, dir, opts)
	assert.FileExists(t, opts.AuditFile)
	assert.NoFileExists(t, filepath.Join(dir, standalone.AuditFile))
	opts.AuditMaxBytes = 1
	_, err := standalone.Open(t.Context(), t.TempDir(), opts)
	assert.ErrorContains(t, err, "MaxBytes")
}
