package agentclient_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

// placeCA is what an admin does before the first start.
func placeCA(t *testing.T, h *host, d *director) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(h.cfg.StateDir, agentclient.CAFile), d.ca.PEM(), 0o600))
}

func fingerprint(d *director) string { return ca.FingerprintOf(d.ca.Certificate()).String() }

// toward makes the agent reach d, whatever it dials.
func toward(h *host, d *director) { h.cfg.Dial = h.to(d) }

func TestFirstContactWithTheRightDirector(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leafOnly bool
		prepare  func(t *testing.T, h *host, d *director)
		log      string
	}{
		"trusted on first use": {
			prepare: func(*testing.T, *host, *director) {},
			log:     "first contact: the director is trusted unverified",
		},
		"trusted on first use, CA not in the handshake": {
			leafOnly: true,
			prepare:  func(*testing.T, *host, *director) {},
			log:      "stored on first contact",
		},
		"pinned": {
			prepare: func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
			log:     "has the configured fingerprint",
		},
		"pinned, CA not in the handshake": {
			leafOnly: true,
			prepare:  func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
			log:      "has the configured fingerprint",
		},
		"pinned in lower case and without colons": {
			prepare: func(_ *testing.T, h *host, d *director) {
				h.cfg.CAFingerprint = " " + strings.ToLower(strings.ReplaceAll(fingerprint(d), ":", "")) + " "
			},
			log: "has the configured fingerprint",
		},
		"CA placed": {prepare: placeCA, log: "enrolled"},
		"CA placed, CA not in the handshake": {
			leafOnly: true, prepare: placeCA, log: "enrolled",
		},
		"pinned, and another CA placed": {
			prepare: func(t *testing.T, h *host, d *director) {
				placeCA(t, h, newDirector(t))
				h.cfg.CAFingerprint = fingerprint(d)
			},
			log: "has another fingerprint than the configured one, which decides",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved, d.leafOnly = true, tt.leafOnly
				h := newHost(t, d, nil)
				tt.prepare(t, h, d)
				h.start()
				synctest.Wait()
				require.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				assert.Equal(t, fingerprint(d), h.Status().CAFingerprint)
				assert.Contains(t, h.log.String(), tt.log)
				stored, err := ca.ReadCertFile(filepath.Join(h.cfg.StateDir, agentclient.CAFile))
				require.NoError(t, err)
				assert.True(t, stored[0].Equal(d.ca.Certificate()))
				h.restart()
				synctest.Wait()
				assert.Equal(t, agentclient.Enrolled, h.Status().State)
				h.stop()
			})
		})
	}
}

func TestFirstContactSaysTheFingerprintOfTheCA(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := newHost(t, d, nil).start()
		time.Sleep(time.Hour)
		assert.Equal(t, 1, h.log.count("first contact"), "loud, not noisy")
		assert.Contains(t, h.log.String(), fingerprint(d))
		h.stop()
	})
}

func TestManInTheMiddleGetsNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		leafOnly bool
		prepare  func(t *testing.T, h *host, d *director)
		reason   string
	}{
		"of a pinned CA": {
			prepare: func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
			reason:  "no CA with the configured ca_fingerprint was found",
		},
		"of a pinned CA, hiding its own": {
			leafOnly: true,
			prepare:  func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
			reason:   "sends no CA in the handshake",
		},
		"of a placed CA": {prepare: placeCA, reason: "was not issued by the trusted CA"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d, mitm := newDirector(t), newDirector(t)
				mitm.approved, mitm.leafOnly, d.approved = true, tt.leafOnly, true
				h := newHost(t, d, func(c *agentclient.Config) { c.RegistrationToken = "secret" })
				tt.prepare(t, h, d)
				toward(h, mitm)
				h.start()
				time.Sleep(time.Hour)
				asked, _, _ := mitm.counts()
				assert.Zero(t, asked, "not even a request")
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				assert.Contains(t, h.Status().Trouble, tt.reason)
				h.stop()

				toward(h, d)
				h.start()
				synctest.Wait()
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				h.stop()
			})
		})
	}
}

func TestManInTheMiddleThatRelaysTheRealCAIsNotThePinnedOne(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d, mitm := newDirector(t), newDirector(t)
		mitm.approved = true
		mitm.with(func(m *director) { // its chain ends with the real director's CA, which did not issue its leaf
			pair := *m.certificate()
			pair.Certificate = [][]byte{pair.Certificate[0], d.ca.Certificate().Raw}
			m.pair = pair
		})
		h := newHost(t, d, func(c *agentclient.Config) { c.CAFingerprint = fingerprint(d) })
		toward(h, mitm)
		h.start()
		time.Sleep(time.Hour)
		asked, _, _ := mitm.counts()
		assert.Zero(t, asked)
		assert.Contains(t, h.Status().Trouble, "was not issued by the trusted CA")
		assert.NotContains(t, h.log.String(), "has the configured fingerprint")
		assert.Empty(t, h.Status().CAFingerprint)
		h.stop()
	})
}

func TestAPinFailsClosedWhenTheDirectorDoesNotShowItsCA(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer func(w http.ResponseWriter)
		why    string
	}{
		"one of the 0.1 generation, whose web page answers": {
			answer: func(w http.ResponseWriter) { _, _ = w.Write([]byte("<!doctype html><title>login</title>")) },
			why:    "its /v1/ca gives no certificate",
		},
		"one without that route": {
			answer: func(w http.ResponseWriter) { http.Error(w, "no", http.StatusNotFound) },
			why:    "its /v1/ca answers with status 404",
		},
		"one that gives another CA there": {
			answer: func(w http.ResponseWriter) { _, _ = w.Write(catest.New(t).PEM()) },
			why:    "its /v1/ca gives another",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved, d.leafOnly = true, true
				d.fault = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path != dcvix.PathCA {
						return false
					}
					tt.answer(w)
					return true
				}
				h := newHost(t, d, func(c *agentclient.Config) { c.CAFingerprint, c.RegistrationToken = fingerprint(d), "secret" }).start()
				time.Sleep(time.Hour)
				asked, _, _ := d.counts()
				assert.Zero(t, asked)
				assert.Contains(t, h.Status().Trouble, "sends no CA in the handshake, and "+tt.why)
				assert.Contains(t, h.Status().Trouble, "copy the director's ca.pem to "+filepath.Join(h.cfg.StateDir, agentclient.CAFile)+" if it cannot send it")
				h.stop()

				placeCA(t, h, d) // the remedy
				h.start()
				synctest.Wait()
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				h.stop()
			})
		})
	}
}

func TestManInTheMiddleOfAFirstUseIsVisible(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d, mitm := newDirector(t), newDirector(t)
		h := newHost(t, d, nil)
		var at atomic.Pointer[director]
		at.Store(d)
		h.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return at.Load().dial(ctx, network, address)
		}
		h.start()
		time.Sleep(time.Minute)
		at.Store(mitm)
		d.goAway()
		time.Sleep(10 * time.Minute)
		assert.Contains(t, h.log.String(), "shows another certificate than before")
		assert.Contains(t, h.log.String(), fingerprint(mitm))
		h.stop()
	})
}

func TestAnotherCALaterIsRefusedInPlainWords(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d, second := newDirector(t), newDirector(t)
		second.approved = true
		h := enrolled(t, d, nil)
		h.stop()
		h.cfg.UpdateInterval = lasting(-1, h.cfg.UpdateInterval) // no tries of reports, of which there are forty thousand
		toward(h, second)
		h.start()
		time.Sleep(36 * time.Hour) // and a renewal
		h.off.Store(true)
		time.Sleep(lasting(14*day, 20*day)) // the certificate runs out
		h.off.Store(false)
		time.Sleep(time.Hour)
		asked, renewals, updates := second.counts()
		assert.Zero(t, asked+renewals+updates)
		assert.Contains(t, h.Status().Trouble, fingerprint(d))
		assert.Contains(t, h.Status().Trouble, fingerprint(second))
		assert.Contains(t, h.Status().Trouble, "remove "+filepath.Join(h.cfg.StateDir, agentclient.CAFile))

		// the admin decides
		h.stop()
		require.NoError(t, os.Remove(filepath.Join(h.cfg.StateDir, agentclient.CAFile)))
		guid := h.Status().GUID
		h.start()
		synctest.Wait()
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		assert.Equal(t, guid, h.Status().GUID)
		assert.Equal(t, fingerprint(second), h.Status().CAFingerprint)
		h.stop()
	})
}

func TestDirectorHasToNameWhatWeDial(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, h *host, d *director){
		"trusted on first use": func(*testing.T, *host, *director) {},
		"CA placed":            placeCA,
		"pinned":               func(_ *testing.T, h *host, d *director) { h.cfg.CAFingerprint = fingerprint(d) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved, d.names = true, []string{"other.example"}
				h := newHost(t, d, nil)
				prepare(t, h, d)
				h.start()
				time.Sleep(time.Hour)
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				assert.Contains(t, h.Status().Trouble, "does not name "+directorName)
				h.stop()
			})
		})
	}
}

func TestDirectorIsDialledByAddressToo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(c *agentclient.Config) { c.DirectorURL = "https://127.0.0.1" })
		assert.NotZero(t, h.Status().LastReport)
		h.stop()
	})
}

func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, nil)
		conf := callerConf(t, d, dcvix.DirectorCommonName, directorName)
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		raw, err := h.ln.Dial(t.Context(), "", "")
		require.NoError(t, err)
		require.Error(t, tls.Client(raw, conf).HandshakeContext(t.Context()))
		_ = raw.Close()
		h.stop()
	})
}
