package agentclient_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
)

// The second director of a pair, as the agent dials it.
const otherName = "director2.example"

// A pair is two directors of one CA, each under its own name.
type pair struct{ first, second *director }

func newPair(t *testing.T) pair {
	first := newDirector(t)
	first.approved = true
	second := directorOf(t, first.ca, first.dir)
	second.approved, second.names = true, []string{otherName}
	return pair{first, second}
}

// share lets the second director know the agents of the first, and the reverse.
func (p pair) share() {
	p.first.with(func(one *director) {
		p.second.with(func(two *director) {
			maps.Copy(two.keys, one.keys)
			maps.Copy(one.keys, two.keys)
		})
	})
}

// host returns a host of both that is not started.
func (p pair) host(t *testing.T, change func(*agentclient.Config)) *host {
	return newHost(t, p.first, func(c *agentclient.Config) {
		c.OtherDirectorURLs = []string{"https://" + otherName}
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			switch address {
			case directorName + ":8445":
				return p.first.dial(ctx, network, address)
			case otherName + ":8445":
				return p.second.dial(ctx, network, address)
			}
			return nil, errors.New("nobody is at " + address)
		}
		if change != nil {
			change(c)
		}
	})
}

// heard returns how many calls either director answered.
func (p pair) heard() (first, second int) {
	sum := func(a, b, c int) int { return a + b + c }
	return sum(p.first.counts()), sum(p.second.counts())
}

func TestTheNextDirectorIsAskedWhenOneFails(t *testing.T) {
	t.Parallel()
	tests := map[string]func(p pair){
		"it is not there": func(p pair) { p.first.goAway() },
		"it breaks": func(p pair) {
			p.first.with(func(d *director) { d.fault = cut })
		},
		"it answers 500": func(p pair) {
			p.first.with(func(d *director) { d.fault = statusOf(http.StatusInternalServerError) })
		},
		"it is a balancer with nobody behind it": func(p pair) {
			p.first.with(func(d *director) { d.fault = statusOf(http.StatusServiceUnavailable) })
		},
		"it is something else": func(p pair) {
			p.first.with(func(d *director) { d.fault = statusOf(http.StatusNotFound) })
		},
		"it hangs": func(p pair) {
			p.first.with(func(d *director) {
				d.fault = func(_ http.ResponseWriter, r *http.Request) bool {
					<-r.Context().Done()
					panic(http.ErrAbortHandler)
				}
			})
		},
		"its certificate has another name": func(p pair) {
			p.first.with(func(d *director) { d.names = []string{otherName} })
			p.first.goAway() // connections that are open stay good
			p.first.comeBack()
		},
	}
	for name, fail := range tests {
		t.Run("at first: "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPair(t)
				fail(p)
				h := p.host(t, nil).start()
				time.Sleep(15 * time.Second) // of patience with one that hangs
				synctest.Wait()
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				assert.Empty(t, h.Status().Trouble)
				h.stop()
			})
		})
		t.Run("later: "+name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPair(t)
				h := p.host(t, nil).start()
				time.Sleep(time.Minute)
				p.share()
				fail(p)
				before := h.Status().LastReport
				time.Sleep(45 * time.Second)
				assert.Greater(t, h.Status().LastReport, before, "within an interval and the patience with one that hangs")
				assert.Contains(t, h.log.String(), "another director answers and is asked from now on")
				assert.Zero(t, h.log.count("did not take a call"))
				asked, _, _ := p.second.counts()
				assert.Zero(t, asked, "its certificate is good there too")

				p.first.with(func(d *director) { d.fault, d.names = nil, []string{directorName} })
				p.first.goAway()
				p.first.comeBack()
				first, second := p.heard()
				renews := longForm() || name == "it is not there"
				if renews {
					time.Sleep(37 * time.Hour)
				} else {
					time.Sleep(time.Hour)
				}
				stayed, heard := p.heard()
				assert.Equal(t, first, stayed, "who works is kept, though the first is back")
				assert.Greater(t, heard, second)
				_, renewals, _ := p.second.counts()
				assert.Equal(t, renews, renewals > 0)

				p.second.goAway()
				time.Sleep(31 * time.Second)
				again, _ := p.heard()
				assert.Greater(t, again, first, "until it fails")
				assert.Equal(t, 2, h.log.count("another director answers"))
				h.stop()
			})
		})
	}
}

func statusOf(status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", status)
		return true
	}
}

func TestADecisionOfOneDirectorIsNotCarriedToTheNext(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"refused": http.StatusUnauthorized, "malformed": http.StatusBadRequest, "too many": http.StatusTooManyRequests} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newPair(t)
				p.first.fault = statusOf(status)
				h := p.host(t, nil).start()
				time.Sleep(time.Hour)
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				_, second := p.heard()
				assert.Zero(t, second)
				h.stop()
			})
		})
	}
	t.Run("pending", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			p := newPair(t)
			p.first.approved = false
			h := p.host(t, nil).start()
			time.Sleep(time.Hour)
			assert.Equal(t, agentclient.Pending, h.Status().State)
			_, second := p.heard()
			assert.Zero(t, second)
			h.stop()
		})
	})
}

func TestWithoutAnyDirectorTheLogSaysWhyOfEachOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		p := newPair(t)
		p.first.goAway()
		p.second.with(func(d *director) { d.names = []string{"elsewhere.example"} })
		h := p.host(t, nil).start()
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 1, h.log.count("did not take a call"), h.log.String())
		assert.Equal(t, "no director answers: "+
			directorName+": the director cannot be reached: dial: connection refused; "+
			otherName+": the certificate of the director does not name "+otherName+
			": dial it by a name in its certificate, or add this one to server_names of the director", h.Status().Trouble)
		p.second.with(func(d *director) { d.names = []string{otherName} })
		time.Sleep(time.Minute)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		h.stop()
	})
}

func TestAPinHoldsForEveryDirector(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		p := newPair(t)
		mitm := newDirector(t)
		mitm.approved = true
		h := p.host(t, func(c *agentclient.Config) { c.CAFingerprint, c.RegistrationToken = fingerprint(p.first), "secret" })
		dial, between := h.cfg.Dial, &atomic.Bool{}
		between.Store(true)
		h.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if between.Load() && address == directorName+":8445" {
				return mitm.dial(ctx, network, address)
			}
			return dial(ctx, network, address)
		}
		h.start()
		synctest.Wait()
		assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
		asked, _, _ := mitm.counts()
		assert.Zero(t, asked, "not even a request")
		_, second := p.heard()
		assert.Positive(t, second)
		h.stop()
	})
}

func TestEachDirectorMayCall(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		p := newPair(t)
		h := p.host(t, nil).start()
		synctest.Wait()
		for name, names := range map[string][]string{"the first": {directorName}, "the second": {otherName}, "one with both names": {directorName, otherName}} {
			got := callAs(t, caller(t, h, callerConf(t, p.first, dcvix.DirectorCommonName, names...)), http.MethodGet, dcvix.PathHealth, "")
			assert.Equal(t, http.StatusOK, got.status, name)
		}
		refused(t, h, callerConf(t, p.first, dcvix.DirectorCommonName, "director3.example"))
		assert.Contains(t, h.log.String(), "the certificate of the calling director does not name "+directorName+" or "+otherName+": add that to server_names of the director")
		h.stop()
	})
}

func TestURLsOfFurtherDirectorsAreChecked(t *testing.T) {
	cfg := goodConfig(t)
	cfg.OtherDirectorURLs = []string{"https://two.example", "http://three.example", "four.example"}
	_, err := agentclient.New(cfg)
	require.ErrorContains(t, err, `"http://three.example"`)
	require.ErrorContains(t, err, `"four.example"`)
	assert.NotContains(t, err.Error(), "two.example")
}
