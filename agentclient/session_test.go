package agentclient_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

const wishOfAda = `{"userId":"ada","sessionType":"virtual","sessionId":"cad-1"}`

// leave asks for a session and hangs up after that time.
func leave(t *testing.T, h *host, after time.Duration) {
	t.Helper()
	client := caller(t, h, callerConf(t, h.director, dcvix.DirectorCommonName, directorName))
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://ws1.lab.example"+dcvix.PathSessions, strings.NewReader(wishOfAda))
	require.NoError(t, err)
	_, err = client.Do(req) //nolint:bodyclose // there is no answer
	require.ErrorIs(t, err, context.DeadlineExceeded)
	client.CloseIdleConnections()
}

// TestACallerThatLeavesLeavesNoOrphan has a dcv of which every command takes two
// seconds. Creating runs four to six: list, list, create, list, and the looks
// whether the desktop lasts.
func TestACallerThatLeavesLeavesNoOrphan(t *testing.T) {
	t.Parallel()
	for step, after := range map[string]time.Duration{
		"while the sessions are listed": time.Second, "before dcv is asked": 3 * time.Second, "while dcv creates": 5 * time.Second,
		"while dcv settles": 7 * time.Second, "while the desktop is watched": 9 * time.Second,
	} {
		t.Run(step, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, hourly)
				setFaults(t, h, dcvclitest.Faults{Slow: 2 * time.Second})
				leave(t, h, after)
				time.Sleep(time.Minute)
				require.Equal(t, []string{"cad-1"}, there(t, h))
				require.Len(t, d.lastUpdate().Sessions, 1, "the director hears of it by itself")
				got := call(t, h, http.MethodPost, dcvix.PathSessions, strings.Replace(wishOfAda, "cad-1", "cad-2", 1))
				assert.Equal(t, `{"sessionID":"cad-1"}`, got.body, "who asks again gets it")
				assert.Equal(t, []string{"cad-1"}, there(t, h))
				h.stop()
			})
		})
	}
}

func TestACallerThatLeavesTheQueueGetsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := enrolled(t, newDirector(t), hourly)
		setFaults(t, h, dcvclitest.Faults{Slow: 5 * time.Second})
		go call(t, h, http.MethodPost, dcvix.PathSessions, `{"userId":"bob","sessionType":"virtual","sessionId":"cad-0"}`)
		time.Sleep(time.Second)
		leave(t, h, 2*time.Second)
		time.Sleep(5 * time.Minute)
		assert.Equal(t, []string{"cad-0"}, there(t, h), "what nobody waits for is not begun")
		h.stop()
	})
}

func TestACreationThatHangsDelaysNothingElse(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, func(c *agentclient.Config) { c.IdleTimeout, c.UpdateInterval = time.Hour, 5*time.Second })
		h.cfg.DCV = &moment{DCV: h.cfg.DCV, create: func(ctx context.Context, _ dcvcli.CreateOptions) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		h.start()
		synctest.Wait()
		time.Sleep(time.Minute)
		_, _, before := d.counts()
		began := time.Now()
		got := call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda)
		assert.Equal(t, http.StatusInternalServerError, got.status)
		assert.Equal(t, 30*time.Second, time.Since(began))
		_, _, after := d.counts()
		assert.InDelta(t, 6, after-before, 1, "reports go on")

		time.Sleep(2 * time.Minute)
		putSession(t, h, desktop("cad-1")) // dcv made it after all
		time.Sleep(10 * time.Second)
		assert.Len(t, d.lastUpdate().Sessions, 1, "it is seen")
		time.Sleep(time.Hour + time.Minute)
		assert.Empty(t, there(t, h), "it is known as ours, and closed when nobody comes")
		h.stop()
	})
}

// TestAnAgentThatIsKilledWhileItCreatesKnowsTheSessionLater starts a second agent
// with the folder as it is at the moment of the kill.
func TestAnAgentThatIsKilledWhileItCreatesKnowsTheSessionLater(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, reaping)
		left := filepath.Join(t.TempDir(), "left")
		dcv := h.cfg.DCV
		h.cfg.DCV = &moment{DCV: dcv, create: func(context.Context, dcvcli.CreateOptions) error {
			return os.CopyFS(left, os.DirFS(h.cfg.StateDir))
		}}
		h.start()
		synctest.Wait()
		require.Equal(t, http.StatusCreated, call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda).status)
		h.stop()
		key := filepath.Join(left, agentclient.KeyFile) // the copy is everybody's
		text, err := os.ReadFile(key)
		require.NoError(t, err)
		require.NoError(t, ca.WriteKeyFile(key, text))

		h.cfg.StateDir, h.cfg.DCV = left, dcv
		h.start()
		time.Sleep(59 * time.Minute)
		assert.Equal(t, []string{"cad-1"}, there(t, h))
		time.Sleep(3 * time.Minute)
		assert.Empty(t, there(t, h))
		h.stop()
	})
}

func TestADesktopThatCrashesAsItStartsIsNoSession(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"at once": time.Millisecond, "soon": 100 * time.Millisecond, "after most of a second": 900 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, hourly)
				setFaults(t, h, dcvclitest.Faults{VanishAfter: after})
				got := call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda)
				assert.Equal(t, http.StatusInternalServerError, got.status)
				assert.Contains(t, got.body, "ended right after it was created, as when its desktop crashes: see ~/.xsession-errors of the user")
				assert.Equal(t, 1, strings.Count(got.body, "\n"))
				setFaults(t, h, dcvclitest.Faults{})
				assert.Equal(t, http.StatusCreated, call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda).status, "the next try is free")
				h.stop()
			})
		})
	}
}

func TestAFaultOfTheProgramEndsOneCallAlone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, hourly)
		h.cfg.DCV = &moment{DCV: h.cfg.DCV, create: func(context.Context, dcvcli.CreateOptions) error { panic("a fault") }}
		h.start()
		synctest.Wait()
		for range 3 {
			got := call(t, h, http.MethodPost, dcvix.PathSessions, wishOfAda)
			assert.Equal(t, http.StatusInternalServerError, got.status)
			assert.Equal(t, "The agent met a fault of its own; its log says which.\n", got.body)
		}
		assert.Equal(t, 3, h.log.count("met a fault of this program"))
		assert.Contains(t, h.log.String(), `fault="a fault" stack="goroutine `)
		assert.Contains(t, h.log.String(), "session_test.go:", "the stack names the line")
		h.stop()
	})
}
