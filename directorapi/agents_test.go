package directorapi_test

import (
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

func TestAnAgentIsPendingUntilApproved(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := newHost(t, s, "WS1.")

	for range 3 {
		r := h.register(t)
		assert.Equal(t, http.StatusForbidden, r.status)
		assert.JSONEq(t, `{"error":"pending approval"}`, r.body)
	}
	pending := agentOf(t, s, h.guid)
	assert.Equal(t, dcvix.AgentPending, pending.State)
	assert.Equal(t, dcvix.Hostname("ws1"), pending.Hostname)
	key, err := ca.KeyFingerprint(h.key.Public())
	require.NoError(t, err)
	assert.Equal(t, key.String(), pending.Fingerprint)

	require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
	r := h.register(t)

	require.Equal(t, http.StatusOK, r.status, r.body)
	var answer dcvix.RegisterResponse
	r.json(t, &answer)
	assert.Equal(t, h.guid, answer.AgentID)
	assert.Equal(t, 43200, answer.RenewalIntervalSeconds)
	assert.Equal(t, string(s.CA.PEM()), answer.CA)
	registered := agentOf(t, s, h.guid)
	assert.Equal(t, dcvix.AgentRegistered, registered.State)
	assert.Equal(t, h.cert.Leaf.SerialNumber.Text(16), registered.CertSerial)
}

func TestTheCertificateOfAnAgent(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := newHost(t, s, "ws1")
	h.register(t, "director.lab", "*.lab", "ws2", "localhost")
	require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{Aliases: []dcvix.Hostname{"cad1"}}))
	h.register(t, "director.lab", "*.lab", "ws2", "localhost")

	cert := h.cert.Leaf
	assert.Equal(t, dcvix.AgentCommonName+string(h.guid), cert.Subject.CommonName)
	assert.Equal(t, []string{"ws1", "cad1"}, cert.DNSNames, "the names on record, and no wish of the request")
	assert.Empty(t, cert.IPAddresses)
	assert.Equal(t, x509.KeyUsageDigitalSignature, cert.KeyUsage)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, cert.ExtKeyUsage)
	assert.WithinDuration(t, time.Now().Add(14*24*time.Hour), cert.NotAfter, time.Minute)
	assert.WithinDuration(t, time.Now().Add(-time.Hour), cert.NotBefore, time.Minute)
	assert.InDelta(t, 128, cert.SerialNumber.BitLen(), 64, "random, so that some of its first bits may be 0")
	assert.False(t, cert.IsCA)
}

func TestAnotherKeyNeverGetsACertificateInAnyState(t *testing.T) {
	s := directorapitest.NewServer(t)
	admin := s.AdminClient()
	h := newHost(t, s, "ws1")
	h.register(t)
	thief := *h
	thief.key = newKey(t)
	refused := func(state string) {
		t.Helper()
		assert.Equal(t, http.StatusUnauthorized, thief.register(t).status, state)
	}
	refused("pending")
	require.NoError(t, admin.Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
	refused("registered")
	h.register(t)
	stolen := *h // even with the certificate, renewal is for the pinned key
	stolen.key = newKey(t)
	r := h.caller().post(t, dcvix.PathAgentRenew, dcvix.RenewRequest{CSR: stolen.csr(t)})
	assert.Equal(t, http.StatusUnauthorized, r.status)
	require.NoError(t, admin.Revoke(t.Context(), h.guid))
	refused("revoked")
}

func TestARevokedAgentIsOutAtOnceAndMayComeBack(t *testing.T) {
	s := directorapitest.NewServer(t)
	admin := s.AdminClient()
	h := approved(t, s, "ws1")
	require.Equal(t, http.StatusOK, h.report(t).status)
	require.Len(t, s.Broker.Hosts(), 1)

	require.NoError(t, admin.Revoke(t.Context(), h.guid))

	assert.Equal(t, http.StatusUnauthorized, h.report(t).status, "its certificate is still good, its state is not")
	assert.Equal(t, http.StatusUnauthorized, h.register(t).status)
	assert.Empty(t, s.Broker.Hosts(), "its host is gone from view")
	require.NoError(t, admin.Reactivate(t.Context(), h.guid))
	assert.Equal(t, http.StatusOK, h.report(t).status)
}

func TestAnAgentRegistersAgainWithoutAnAdmin(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	first := h.cert.Leaf.SerialNumber
	require.Equal(t, http.StatusOK, h.register(t).status, "agents of the 0.1 generation do so at every start")
	assert.NotEqual(t, first, h.cert.Leaf.SerialNumber)
	assert.Len(t, s.Broker.Agents(""), 1)
}

func TestRenewal(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	r := h.caller().post(t, dcvix.PathAgentRenew, dcvix.RenewRequest{CSR: h.csr(t)})
	require.Equal(t, http.StatusOK, r.status, r.body)
	var answer dcvix.RenewResponse
	r.json(t, &answer)
	before := h.cert.Leaf.SerialNumber
	h.keep(t, answer.Certificate)
	assert.NotEqual(t, before, h.cert.Leaf.SerialNumber)
	assert.Equal(t, http.StatusOK, h.report(t).status)
}

func TestAHostThatWasRenamedKeepsItsNameUntilAnAdminAccepts(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	h.name = "ws7"

	require.Equal(t, http.StatusOK, h.register(t).status)
	assert.Equal(t, []string{"ws1"}, h.cert.Leaf.DNSNames)
	assert.Equal(t, http.StatusForbidden, h.report(t).status)
	assert.Equal(t, dcvix.Hostname("ws7"), agentOf(t, s, h.guid).RequestedHostname)

	require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
	require.Equal(t, http.StatusOK, h.register(t).status)
	assert.Equal(t, []string{"ws7"}, h.cert.Leaf.DNSNames)
	assert.Equal(t, http.StatusOK, h.report(t).status)
}

func TestAnAgentSpeaksForItselfAlone(t *testing.T) {
	s := directorapitest.NewServer(t)
	approved(t, s, "ws1")
	h := approved(t, s, "ws2")
	h.name = "ws1"
	assert.Equal(t, http.StatusForbidden, h.report(t, dcvix.Session{ID: "forged", Owner: "root"}).status)
	assert.Empty(t, s.Broker.Sessions())
}

func TestTwoAgentsNeverShareAName(t *testing.T) {
	s := directorapitest.NewServer(t)
	admin := s.AdminClient()
	old := approved(t, s, "ws1")
	again := newHost(t, s, "ws1") // reinstalled: new key, new GUID
	again.register(t)

	err := admin.Approve(t.Context(), again.guid, dcvix.ApproveRequest{})
	var refusal *dcvix.Error
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, dcvix.CodeConflict, refusal.Code)
	assert.Equal(t, dcvix.AgentPending, agentOf(t, s, again.guid).State)

	require.NoError(t, admin.Approve(t.Context(), again.guid, dcvix.ApproveRequest{Replace: true}))
	assert.Equal(t, dcvix.AgentRevoked, agentOf(t, s, old.guid).State)
	assert.Equal(t, http.StatusUnauthorized, old.report(t).status)
	assert.Equal(t, http.StatusOK, again.register(t).status)
}

func TestTheDirectorsOwnNamesAreNobodyElses(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := newHost(t, s, "director.lab")
	h.register(t)
	r := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root).post(t, dcvix.Path(dcvix.PathAdminAgentApprove, string(h.guid)), nil)
	assert.Equal(t, http.StatusConflict, r.status)
	assert.Equal(t, "This host name is the director's own: give the host another one.", r.body)
}

func TestARegistrationTokenIsForStrangers(t *testing.T) {
	token := ""
	store := directorapitest.WithBroker(func(c *session.Config) { c.RegistrationToken = token })
	token = "sesame"
	s := directorapitest.NewServer(t, store)
	h := newHost(t, s, "ws1")
	for _, wrong := range []string{"", "sesam", "sesame "} {
		h.token = wrong
		assert.Equal(t, http.StatusUnauthorized, h.register(t).status, wrong)
	}
	assert.Empty(t, s.Broker.Agents(""))
	h.token = "sesame"
	assert.Equal(t, http.StatusForbidden, h.register(t).status)
	h.token = ""
	require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{}))
	assert.Equal(t, http.StatusOK, h.register(t).status, "a known agent needs none")
}

func TestPendingAgentsAreBounded(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) { c.PendingMax = 2 }))
	for range 2 {
		assert.Equal(t, http.StatusForbidden, newHost(t, s, "ws1").register(t).status)
	}
	r := newHost(t, s, "ws1").register(t)
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	assert.NotEmpty(t, r.header.Get("Retry-After"))
	assert.Len(t, s.Broker.Agents(""), 2)
}

func TestNewAgentsOfOneAddressAreBounded(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithBroker(func(c *session.Config) { c.PendingPerAddress = 2 }))
	for range 2 {
		assert.Equal(t, http.StatusForbidden, newHost(t, s, "ws1").register(t).status)
	}
	r := newHost(t, s, "ws1").register(t)
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	assert.NotEmpty(t, r.header.Get("Retry-After"))
	assert.Len(t, s.Broker.Agents(""), 2)
}

func TestCertificatesThatAreNoAgents(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	tests := map[string]func() *host{
		"the director's own": func() *host {
			pair := catest.Issue(t, s.CA, dcvix.DirectorCommonName, "localhost")
			return &host{director: s, name: "ws1", cert: &pair}
		},
		"of another CA": func() *host {
			pair := catest.Issue(t, catest.New(t), dcvix.AgentCommonName+string(h.guid), "ws1")
			return &host{director: s, name: "ws1", cert: &pair}
		},
		"of our CA with the right name but another key": func() *host {
			pair := catest.Issue(t, s.CA, dcvix.AgentCommonName+string(h.guid), "ws1")
			return &host{director: s, name: "ws1", cert: &pair}
		},
		"of an agent that nobody knows": func() *host {
			pair := catest.Issue(t, s.CA, dcvix.AgentCommonName+uuid.NewString(), "ws1")
			return &host{director: s, name: "ws1", cert: &pair}
		},
	}
	for name, impostor := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, http.StatusUnauthorized, impostor().report(t).status)
		})
	}
	require.Equal(t, http.StatusOK, h.report(t).status, "the right one")
}

func TestAHostOfTheOlderGenerationReportsItsShortNameAndNoTime(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	body := `{"sessions":[{"id":"s1","owner":"alice","user":"alice","num-of-connections":0,"creation-time":"2026-03-05T08:41:12.004518Z",
		"last-disconnection-time":"0001-01-01T00:00:00Z","licensing-mode":"demo","storage-root":"","type":"virtual","status":"created",
		"x11-display":":1","x11-authority":"/run/x","future-key":[1]}],"stats":{"hostname":"WS1","free_memory":1,"total_memory":2,
		"cores":4,"cpu_usage":12.5,"load1":0.1,"load5":0.2,"load15":0.3},"tags":["a","linux"]}`

	r := h.caller().send(t, http.MethodPost, dcvix.PathAgentUpdate, []byte(body))

	require.Equal(t, http.StatusOK, r.status, r.body)
	assert.Empty(t, r.body)
	list := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root).get(t, dcvix.PathServers)
	assert.Contains(t, list.body, `"hostname":"ws1"`)
	assert.Contains(t, list.body, `"agent_ip":"127.0.0.1"`)
	assert.Contains(t, list.body, `"last-disconnection-time":null`)
	assert.Contains(t, list.body, `"uid":"s1-ws1"`)
	assert.Contains(t, list.body, `"tags":["a","linux"]`)
}

func TestAnAgentThatMovesToAnotherPortIsCalledThere(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	update := dcvix.AgentUpdate{Sessions: []dcvix.Session{}, Tags: []string{}, Stats: dcvix.Stats{Hostname: "ws1"}}
	for said, want := range map[int]int{9446: 9446, 22: 0, 70000: 0, 0: 0} {
		update.AgentPort = said
		require.Equal(t, http.StatusOK, h.caller().post(t, dcvix.PathAgentUpdate, update).status)
		if want != 0 {
			assert.Equal(t, want, s.Broker.Agents("")[0].Port)
		}
	}
	assert.Equal(t, 9446, s.Broker.Agents("")[0].Port, "what is no port of an agent changes nothing")
}

func TestAnExpiredCertificateReportsNothingButMayRegister(t *testing.T) {
	now := time.Now()
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) { c.Now = func() time.Time { return now } }))
	h := approved(t, s, "ws1")
	require.Equal(t, http.StatusOK, h.report(t).status, "good, and remembered as good")

	now = h.cert.Leaf.NotAfter.Add(time.Second)

	assert.Equal(t, http.StatusUnauthorized, h.report(t).status)
	r := h.caller().post(t, dcvix.PathAgentRegister, dcvix.RegisterRequest{CSR: h.csr(t), GUID: h.guid, Hostname: h.name})
	assert.Equal(t, http.StatusOK, r.status, "the handshake takes an expired certificate: %s", r.body)
}

func TestCardsAndTheLicenceOfAHostAreShownToTheAdmin(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	const gpus = `"gpus":[{"index":0,"model":"NVIDIA L4","driver":"550.54.15","usage":12.5,"encoder_usage":3,"used_memory":1,"total_memory":2,"temperature":41}]`
	const licence = `"licence":{"mode":"demo","products":[{"product":"dcv","status":"licensed","checked_at":"2026-03-05T09:41:12Z","expires_at":null}]}`
	body := `{"sessions":[],"stats":{"hostname":"ws1"},"tags":[],` + gpus + `,` + licence + `}`

	r := h.caller().send(t, http.MethodPost, dcvix.PathAgentUpdate, []byte(body))

	require.Equal(t, http.StatusOK, r.status, r.body)
	list := loggedIn(t, s, dcvix.PathAdminLogin, directorapitest.Root).get(t, dcvix.PathServers)
	assert.Contains(t, list.body, gpus)
	assert.Contains(t, list.body, licence)
}
