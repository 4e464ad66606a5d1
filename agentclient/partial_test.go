package agentclient_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// An odd dcv lists besides its sessions something without an id.
type odd struct{ dcvcli.Runner }

func (o odd) Run(ctx context.Context, args ...string) ([]byte, error) {
	out, err := o.Runner.Run(ctx, args...)
	if args[0] != "list-sessions" || err != nil {
		return out, err
	}
	return bytes.Replace(out, []byte("["), []byte(`[{"owner" : "nobody"},`), 1), nil
}

func TestSomethingOddAmongTheSessionsHidesNoOther(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, func(c *agentclient.Config) { c.IdleTimeout, c.ReapInterval = time.Hour, time.Minute })
		cli, err := dcvcli.New(dcvcli.Config{Runner: odd{h.dcv}, Platform: "linux"})
		require.NoError(t, err)
		h.cfg.DCV = cli
		putSession(t, h, dcvclitest.Session{ID: oursByID, Owner: "ada", Type: "virtual"})
		h.start()
		synctest.Wait()
		time.Sleep(10 * time.Minute)

		got := d.lastUpdate()
		require.Len(t, got.Sessions, 1)
		require.Len(t, got.Problems, 1)
		assert.Contains(t, got.Problems[0], "not all sessions of DCV can be listed: ")
		assert.Equal(t, 201, call(t, h, "POST", "/v1/sessions", `{"userId":"bob","sessionType":"virtual","sessionId":"new"}`).status)
		assert.JSONEq(t, `{"sessionID":"new"}`, call(t, h, "POST", "/v1/sessions", `{"userId":"bob","sessionType":"virtual","sessionId":"other"}`).body, "the one that bob has")

		time.Sleep(3 * time.Hour)
		assert.Len(t, there(t, h), 2, "of a list that is not whole nothing is judged idle")
		assert.Equal(t, 500, call(t, h, "DELETE", "/v1/sessions/gone?owner=bob", "").status, "it may be what cannot be read")
		assert.NotEqual(t, 404, call(t, h, "DELETE", "/v1/sessions/new?owner=bob", "").status)
		assert.Len(t, there(t, h), 1)
		h.stop()
	})
}
