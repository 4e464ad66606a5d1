package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRevokedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(t)
		d.run(t)
		until := time.Now().Add(2 * time.Hour)
		require.NoError(t, d.RevokeToken(t.Context(), "t1", until))
		assert.True(t, d.TokenRevoked("t1"))
		assert.False(t, d.TokenRevoked("t2"))

		d.store.FailWith(errors.New("disk full"))
		require.ErrorContains(t, d.RevokeToken(t.Context(), "t2", until), "disk full")
		d.store.FailWith(nil)

		time.Sleep(2*time.Hour - time.Second)
		synctest.Wait()
		assert.True(t, d.TokenRevoked("t1"))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		assert.False(t, d.TokenRevoked("t1"), "it has ended by itself")
		left, err := d.store.RevokedTokens(t.Context())
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}

func TestRevokedTokensSurviveARestart(t *testing.T) {
	d := newDirector(t)
	require.NoError(t, d.RevokeToken(t.Context(), "t1", time.Now().Add(time.Hour)))
	d.open(t)
	assert.True(t, d.TokenRevoked("t1"))
}
