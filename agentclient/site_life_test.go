package agentclient_test

import (
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
)

// as has an admin do something.
func (s *site) as(act func(admin *client.Client) error) {
	s.t.Helper()
	admin, done := s.admin()
	defer done()
	require.NoError(s.t, act(admin))
}

func everyMinute(c *agentclient.Config) { c.UpdateInterval = time.Minute }

func TestARenamedHostReportsOnceAnAdminAcceptsTheName(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		h := s.enrolled("ws1.localhost")[0]
		id, serial := h.Status().GUID, s.entry(h.Status().GUID).CertSerial
		h.stop()
		h.cfg.Hostname = "ws9.localhost"
		everyMinute(&h.cfg)
		h.start()
		time.Sleep(10 * time.Minute)
		entry := s.entry(id)
		assert.Equal(t, dcvix.AgentRegistered, entry.State)
		assert.EqualValues(t, "ws1.localhost", entry.Hostname, "the name that an admin approved")
		assert.EqualValues(t, "ws9.localhost", entry.RequestedHostname, "and the wish")
		assert.NotEqual(t, serial, entry.CertSerial, "it has a certificate for the recorded name")
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		assert.Zero(t, h.Status().LastReport)
		assert.Contains(t, h.Status().Trouble, "status 403")
		assert.Equal(t, 1, h.log.count("did not take a call"))

		s.as(func(admin *client.Client) error { return admin.Approve(t.Context(), id, dcvix.ApproveRequest{}) })
		time.Sleep(2 * time.Minute)
		assert.EqualValues(t, "ws9.localhost", s.entry(id).Hostname)
		assert.NotZero(t, h.Status().LastReport)
		assert.Empty(t, h.Status().Trouble)
		chain, err := ca.ReadCertFile(filepath.Join(h.cfg.StateDir, agentclient.CertFile))
		require.NoError(t, err)
		assert.Equal(t, []string{"ws9.localhost"}, chain[0].DNSNames, "or the director could not call it")
		time.Sleep(time.Hour)
		assert.Equal(t, 2, h.log.count("msg=enrolled")-1, "once for the wish and once for the name, besides the first")
		s.stopAll(h)
	})
}

func TestARevokedAgentAsksOnAndComesBackWhenReactivated(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		h := s.host("ws1.localhost", everyMinute)
		synctest.Wait()
		s.approveAll()
		time.Sleep(time.Minute)
		id := h.Status().GUID
		s.as(func(admin *client.Client) error { return admin.Revoke(t.Context(), id) })
		last := h.Status().LastReport
		time.Sleep(lasting(4*time.Hour, day))
		assert.Equal(t, last, h.Status().LastReport)
		assert.Equal(t, agentclient.Unenrolled, h.Status().State)
		assert.Contains(t, h.Status().Trouble, "This agent is revoked")
		assert.Equal(t, 1, h.log.count("does not know this agent any more"))
		assert.Equal(t, 1, h.log.count("did not take a call"))
		all := s.agents("")
		require.Len(t, all, 1)
		assert.Equal(t, dcvix.AgentRevoked, all[0].State)

		s.as(func(admin *client.Client) error { return admin.Reactivate(t.Context(), id) })
		time.Sleep(time.Minute)
		assert.Equal(t, agentclient.Enrolled, h.Status().State, h.log.String())
		assert.Greater(t, h.Status().LastReport, last)
		s.stopAll(h)
	})
}

func TestADeniedAgentWaitsAndIsSeenAgainAfterADay(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSiteForMonths(t)
		h := s.host("ws1.localhost", nil)
		synctest.Wait()
		id := h.Status().GUID
		s.as(func(admin *client.Client) error { return admin.Deny(t.Context(), id) })
		time.Sleep(23 * time.Hour)
		assert.Equal(t, agentclient.Pending, h.Status().State, "it hears nothing else than before")
		assert.Empty(t, s.agents(""))
		time.Sleep(2 * time.Hour)
		require.Len(t, s.agents(dcvix.AgentPending), 1)
		s.approveAll()
		time.Sleep(30 * time.Second)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		s.stopAll(h)
	})
}

func TestARealDirectorIsReachedByAddressAndByEveryNameItHas(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		s := newSite(t)
		var hosts []*host
		for name, url := range map[string]string{
			"ws1.localhost": "https://127.0.0.1", "ws2.localhost": "https://[::1]:8445",
			"ws3.localhost": "https://localhost", "ws4.localhost": "https://" + directorName,
		} {
			hosts = append(hosts, s.host(name, func(c *agentclient.Config) { c.DirectorURL, c.CAFingerprint = url, s.fingerprint() }))
		}
		synctest.Wait()
		s.approveAll()
		time.Sleep(30 * time.Second)
		for _, h := range hosts {
			assert.NotZero(t, h.Status().LastReport, h.log.String())
		}
		s.stopAll(hosts...)
	})
}

func TestARealDirectorUnderANameItDoesNotHaveIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	for how, prepare := range map[string]func(s *site, c *agentclient.Config){
		"pinned":               func(s *site, c *agentclient.Config) { c.CAFingerprint = s.fingerprint() },
		"trusted on first use": func(*site, *agentclient.Config) {},
	} {
		t.Run(how, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t)
				h := s.host("ws1.localhost", func(c *agentclient.Config) {
					c.DirectorURL = "https://alias.example"
					prepare(s, c)
				})
				synctest.Wait()
				if len(s.agents(dcvix.AgentPending)) > 0 { // on first use the name is looked at when there is a CA to trust
					s.approveAll()
				}
				time.Sleep(time.Hour)
				assert.NotEqual(t, agentclient.Enrolled, h.Status().State)
				assert.Contains(t, h.Status().Trouble, "does not name alias.example: dial it by a name in its certificate, or add this one to server_names of the director")
				assert.Equal(t, 1, s.log.count("add it to server_names if it is this director's"), "the director says so too, once")
				assert.Contains(t, s.log.String(), "name=alias.example")
				s.stopAll(h)
			})
		})
	}
}
