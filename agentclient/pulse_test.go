package agentclient_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
)

// A stuck DCV never answers a look, whatever its context says.
type stuck struct {
	agentclient.DCV

	free chan struct{}
}

func (s stuck) List(ctx context.Context) ([]dcvcli.Session, error) {
	<-s.free
	return s.DCV.List(ctx)
}

func TestALoopThatIsStuckIsKnown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		free := make(chan struct{})
		h := newHost(t, d, func(cfg *agentclient.Config) { cfg.DCV = stuck{cfg.DCV, free} })
		h.start()
		synctest.Wait()
		assert.Empty(t, h.Stalled())
		time.Sleep(5 * time.Minute)
		assert.Equal(t, []string{"report"}, h.Stalled())
		close(free)
		time.Sleep(time.Minute)
		assert.Empty(t, h.Stalled(), "it goes on")
		h.stop()
		assert.Empty(t, h.Stalled())
	})
}

func TestSilentDirectorsAndWaitingStallNothing(t *testing.T) {
	for name, prepare := range map[string]func(d *director, cfg *agentclient.Config){
		"nobody approves":    func(*director, *agentclient.Config) {},
		"long intervals":     func(d *director, cfg *agentclient.Config) { d.approved, cfg.UpdateInterval = true, 4*time.Hour },
		"no reports at all":  func(d *director, cfg *agentclient.Config) { d.approved, cfg.UpdateInterval = true, -1 },
		"directors are gone": func(_ *director, cfg *agentclient.Config) { cfg.DirectorURL = "https://nothing.lab:8445" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := newHost(t, d, func(cfg *agentclient.Config) { prepare(d, cfg) })
				h.start()
				for range 26 * 12 {
					time.Sleep(5 * time.Minute)
					assert.Empty(t, h.Stalled())
				}
				h.stop()
			})
		})
	}
}
