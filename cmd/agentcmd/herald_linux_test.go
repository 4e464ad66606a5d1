package agentcmd_test

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/cmd/agentcmd"
)

func TestTheWatchdogIsFedOnlyWhileTheAgentGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stuck atomic.Bool
		said, log := &buffer{}, &buffer{}
		ctx, cancel := context.WithCancel(t.Context())
		go agentcmd.Herald(ctx, 3*time.Minute, func() agentclient.Status { return agentclient.Status{GUID: "x", State: agentclient.Enrolled} },
			func() []string {
				if stuck.Load() {
					return []string{"renew", "report"}
				}
				return nil
			}, func(words string) { _, _ = said.Write([]byte(words + "\n")) }, slog.New(slog.NewTextHandler(log, nil)))
		fed := func() int { return strings.Count(said.String(), "WATCHDOG=1\n") }
		time.Sleep(10*time.Second + time.Millisecond)
		assert.Equal(t, 11, fed())
		stuck.Store(true)
		time.Sleep(time.Hour)
		assert.Equal(t, 11, fed())
		assert.Equal(t, 1, strings.Count(log.String(), `part="renew, report"`), "%s", log)
		stuck.Store(false)
		time.Sleep(10 * time.Second)
		assert.Equal(t, 21, fed())
		cancel()
		synctest.Wait()
		assert.True(t, strings.HasSuffix(said.String(), "STOPPING=1\nSTATUS=stopping\n"))
	})
}
