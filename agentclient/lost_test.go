package agentclient_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// The tests of this file are the table "When something is lost" of
// docs/security.md, with a real director, real agents, and time that is virtual.

const anyDatabase = standalone.DatabaseFile + "*"

func TestLostAgentsDBNeedsOneClickForEachAgent(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		hosts := s.enrolled("ws1.localhost", "ws2.localhost", "ws3.localhost")
		before := map[dcvix.AgentID]string{}
		for _, a := range s.agents(dcvix.AgentRegistered) {
			before[a.GUID] = a.Fingerprint
		}
		s.stop()
		s.lose(anyDatabase)
		s.start()

		time.Sleep(time.Hour + time.Minute) // their next report
		waiting := s.agents("")
		require.Len(t, waiting, 3, "one entry each")
		for _, a := range waiting {
			assert.Equal(t, dcvix.AgentPending, a.State)
			assert.Equal(t, before[a.GUID], a.Fingerprint, "the same GUID with the same key")
		}
		for _, h := range hosts {
			assert.Equal(t, agentclient.Pending, h.Status().State)
		}

		s.as(func(admin *client.Client) error {
			return admin.Approve(t.Context(), hosts[1].Status().GUID, dcvix.ApproveRequest{})
		})
		assert.Equal(t, 2, s.approveAll(), "the others together")
		time.Sleep(30 * time.Second)
		for _, h := range hosts {
			assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
			assert.WithinDuration(t, time.Now(), h.Status().LastReport, 30*time.Second)
		}
		assert.Len(t, s.agents(""), 3)
		s.stopAll(hosts...)
	})
}

func TestLostCAIsTheDecisionOfAnAdminOnTheHost(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, s *site, h *host){
		"ca.pem is removed": func(t *testing.T, _ *site, h *host) {
			require.NoError(t, os.Remove(filepath.Join(h.cfg.StateDir, agentclient.CAFile)))
		},
		"ca.pem is replaced": func(t *testing.T, s *site, h *host) {
			require.NoError(t, os.WriteFile(filepath.Join(h.cfg.StateDir, agentclient.CAFile), s.server.CA().PEM(), 0o600))
		},
		"ca_fingerprint is set": func(_ *testing.T, s *site, h *host) { h.cfg.CAFingerprint = s.fingerprint() },
	}
	for name, decide := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				hosts := s.enrolled("ws1.localhost")
				h, old := hosts[0], s.fingerprint()
				before := h.Status()
				s.stop()
				s.lose(anyDatabase, "ca.*", "server.*")
				s.start()
				require.NotEqual(t, old, s.fingerprint())

				for range 2 { // while the agent has a certificate, and when that ran out
					time.Sleep(2 * time.Hour)
					said := h.Status().Trouble
					assert.Contains(t, said, "was not issued by the trusted CA "+old)
					assert.Contains(t, said, "it shows the CA "+s.fingerprint())
					assert.Contains(t, said, "set ca_fingerprint to the new one's or remove "+filepath.Join(h.cfg.StateDir, agentclient.CAFile)+", and restart the agent")
					assert.Empty(t, s.agents(""), "nothing was said to a director that may be anybody")
					h.stop()
					s.stop() // only to save the test time
					time.Sleep(20 * day)
					s.start()
					h.start() // which alone decides nothing
				}
				h.stop()
				assert.Equal(t, 2, h.log.count("did not take a call"), "once for each start")
				decide(t, s, h)
				h.start()
				synctest.Wait()
				waiting := s.agents("")
				require.Len(t, waiting, 1)
				assert.Equal(t, dcvix.AgentPending, waiting[0].State, "it is new to this director")
				assert.Equal(t, before.GUID, waiting[0].GUID)
				assert.Equal(t, before.Fingerprint, waiting[0].Fingerprint)
				s.approveAll()
				time.Sleep(30 * time.Second)
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				assert.Equal(t, s.fingerprint(), h.Status().CAFingerprint)
				stored, err := ca.ReadCertFile(filepath.Join(h.cfg.StateDir, agentclient.CAFile))
				require.NoError(t, err)
				assert.True(t, stored[0].Equal(s.server.CA().Certificate()))
				s.stopAll(h)
			})
		})
	}
}

func TestLostCertificateIsSignedAnewAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		h := s.enrolled("ws1.localhost")[0]
		before := s.entry(h.Status().GUID)
		h.stop()
		removeAll(t, h.cfg.StateDir, agentclient.CertFile)
		h.start()
		synctest.Wait()
		assert.Equal(t, agentclient.Enrolled, h.Status().State, "without an admin")
		all := s.agents("")
		require.Len(t, all, 1, "no second entry")
		assert.Equal(t, before.GUID, all[0].GUID)
		assert.Equal(t, before.Fingerprint, all[0].Fingerprint)
		assert.NotEqual(t, before.CertSerial, all[0].CertSerial)
		s.stopAll(h)
	})
}

func TestLostKeyMakesANewAgentBesideTheOrphan(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string][]string{
		"key and certificate":           {agentclient.KeyFile, agentclient.CertFile},
		"key, certificate and GUID":     {agentclient.KeyFile, agentclient.CertFile, agentclient.GUIDFile},
		"all of it, a host made afresh": {agentclient.KeyFile, agentclient.CertFile, agentclient.GUIDFile, agentclient.CAFile},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				h := s.enrolled("ws1.localhost")[0]
				orphan := s.entry(h.Status().GUID)
				h.stop()
				removeAll(t, h.cfg.StateDir, lost...)
				h.start()
				time.Sleep(time.Hour)

				id := h.Status().GUID
				assert.NotEqual(t, orphan.GUID, id)
				fresh := s.entry(id)
				assert.Equal(t, dcvix.AgentPending, fresh.State)
				assert.NotEqual(t, orphan.Fingerprint, fresh.Fingerprint)
				assert.Equal(t, h.Status().Fingerprint, fresh.Fingerprint, "what the admin compares")
				assert.Equal(t, orphan.Hostname, fresh.Hostname)
				assert.Len(t, s.agents(""), 2, "one new entry, however often it asks")
				assert.Equal(t, dcvix.AgentRegistered, s.entry(orphan.GUID).State)
				assert.Equal(t, id, s.entry(orphan.GUID).OrphanedBy, "the orphan is shown as such")
				assert.Empty(t, fresh.OrphanedBy)

				admin, done := s.admin()
				defer done()
				err := admin.Approve(t.Context(), id, dcvix.ApproveRequest{})
				refused := (*dcvix.Error)(nil)
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, http.StatusConflict, refused.Status, "two never have one name")
				require.NoError(t, admin.Approve(t.Context(), id, dcvix.ApproveRequest{Replace: true}))
				time.Sleep(30 * time.Second)
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				assert.Equal(t, dcvix.AgentRevoked, s.entry(orphan.GUID).State)
				assert.Equal(t, dcvix.AgentRegistered, s.entry(id).State)
				s.stopAll(h)
			})
		})
	}
}

func TestAnOrphanIsCleanedThoughNobodyDecides(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSiteForMonths(t)
		names := []string{"ws0.localhost"}
		for i := range 9 { // one in ten may be cleaned
			names = append(names, "ws1"+string(rune('0'+i))+".localhost")
		}
		hosts := s.enrolled(names...)
		h := hosts[0]
		orphan := h.Status().GUID
		h.stop()
		removeAll(t, h.cfg.StateDir, agentclient.KeyFile, agentclient.CertFile)
		h.start()
		time.Sleep(time.Minute)
		h.stop() // and nobody uses the host
		time.Sleep(30 * day)
		assert.Equal(t, dcvix.AgentRegistered, s.entry(orphan).State, "not before 30 days and one")
		time.Sleep(2 * day)
		for _, a := range s.agents("") {
			assert.NotEqual(t, orphan, a.GUID, "it is still there: %+v", a)
		}
		assert.Len(t, s.agents(dcvix.AgentRegistered), 9)

		h.start()
		synctest.Wait()
		assert.Equal(t, agentclient.Pending, h.Status().State)
		require.Equal(t, 1, s.approveAll(), "and its name is free")
		time.Sleep(30 * time.Second)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		s.stopAll(hosts...)
	})
}

func TestTwelveDaysOfOutageAreOutlivedAtAnyMoment(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSiteForMonths(t)
		h := s.enrolled("ws1.localhost")[0]
		for range lasting(1, 3) {
			time.Sleep(day + 17*time.Hour) // another moment between two renewals each time
			serial := s.entry(h.Status().GUID).CertSerial
			s.stop()
			time.Sleep(12 * day)
			require.Equal(t, agentclient.Enrolled, h.Status().State)
			s.start()
			time.Sleep(5*time.Minute + time.Second)
			assert.Equal(t, agentclient.Enrolled, h.Status().State)
			assert.WithinDuration(t, time.Now(), h.Status().LastReport, 5*time.Minute+time.Second)
			assert.Greater(t, time.Until(h.Status().NotAfter), 13*day, "renewed within five minutes")
			assert.NotEqual(t, serial, s.entry(h.Status().GUID).CertSerial)
		}
		assert.Zero(t, h.log.count("registering again"), "renewed, never registered anew")
		s.stopAll(h)
	})
}

func TestExpiredCertificateComesBackWithoutAnAdmin(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]func(s *site, h *host){
		"the director was away": func(s *site, _ *host) {
			s.stop()
			time.Sleep(15 * day)
			s.start()
		},
		"the network was": func(_ *site, h *host) {
			h.off.Store(true)
			time.Sleep(15 * day)
			h.off.Store(false)
		},
		"the host was off": func(_ *site, h *host) {
			h.stop()
			time.Sleep(15 * day)
			h.start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSiteForMonths(t)
				h := s.host("ws1.localhost", func(c *agentclient.Config) { c.UpdateInterval = lasting(-1, time.Hour) })
				synctest.Wait()
				s.approveAll()
				time.Sleep(30 * time.Second)
				before := s.entry(h.Status().GUID)
				away(s, h)
				time.Sleep(time.Minute)
				assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
				assert.Greater(t, time.Until(h.Status().NotAfter), 13*day)
				all := s.agents("")
				require.Len(t, all, 1)
				assert.Equal(t, before.GUID, all[0].GUID)
				assert.Equal(t, before.Fingerprint, all[0].Fingerprint)
				s.stopAll(h)
			})
		})
	}
}

func TestManInTheMiddleAtFirstContactGetsNothingOrIsSeen(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, s *site, c *agentclient.Config){
		"with ca.pem": func(t *testing.T, s *site, c *agentclient.Config) {
			require.NoError(t, os.WriteFile(filepath.Join(c.StateDir, agentclient.CAFile), s.server.CA().PEM(), 0o600))
		},
		"with ca_fingerprint": func(_ *testing.T, s *site, c *agentclient.Config) { c.CAFingerprint = s.fingerprint() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, mitm := newSite(t), newSite(t)
				h := mitm.host("ws1.localhost", func(c *agentclient.Config) { prepare(t, s, c) })
				time.Sleep(time.Hour)
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				assert.Empty(t, mitm.agents(""), "it was not even asked")
				assert.Contains(t, h.Status().Trouble, mitm.fingerprint(), "and is named")
				mitm.stopAll(h)
				s.stop()
			})
		})
	}
	t.Run("without either", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s, mitm := newSite(t), newSite(t)
			h := mitm.host("ws1.localhost", nil)
			synctest.Wait()
			assert.Contains(t, h.log.String(), "first contact: the director is trusted unverified, compare the fingerprint")
			assert.Contains(t, h.log.String(), "ca_fingerprint="+mitm.fingerprint())
			assert.NotContains(t, h.log.String(), s.fingerprint(), "the one that the real director logs")
			mitm.stopAll(h)
			s.stop()
		})
	})
}

func TestManInTheMiddleLaterGetsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s, mitm := newSiteForMonths(t), newSiteForMonths(t)
		reports := s.enrolled("ws1.localhost")[0]
		renews := s.host("ws2.localhost", func(c *agentclient.Config) { c.UpdateInterval = -1 })
		synctest.Wait()
		s.approveAll()
		time.Sleep(lasting(22*time.Hour, 0)) // a renewal is due after 23 h, and looked for every 12
		s.mu.Lock()
		director := s.ln
		s.ln = mitm.ln // every new connection ends there
		s.mu.Unlock()
		time.Sleep(lasting(14*time.Hour, 37*time.Hour))
		assert.Contains(t, reports.Status().Trouble, mitm.fingerprint(), "at an update")
		assert.Contains(t, renews.log.String(), "certificate not renewed, trying again", "at a renewal")
		assert.Contains(t, renews.log.String(), mitm.fingerprint())
		assert.Empty(t, mitm.agents(""))

		s.mu.Lock()
		s.ln = director
		s.mu.Unlock()
		time.Sleep(6 * time.Minute)
		for _, h := range []*host{reports, renews} {
			assert.Equal(t, agentclient.Enrolled, h.Status().State)
			assert.Greater(t, time.Until(h.Status().NotAfter), 13*day)
		}
		mitm.stop()
		s.stopAll(reports, renews)
	})
}
