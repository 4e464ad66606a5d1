package directorapi_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// certified gives the host a certificate that no director handed out.
func (h *host) certified(t *testing.T, authority *ca.Authority, commonName string) *host {
	t.Helper()
	chain, err := authority.SignServer(h.key.Public(), ca.Identity{CommonName: commonName, DNSNames: []string{h.name}})
	require.NoError(t, err)
	other := *h
	other.cert = &tls.Certificate{Certificate: [][]byte{chain[0].Raw}, PrivateKey: h.key, Leaf: chain[0]}
	return &other
}

// withPair gives the host a pair that belongs to somebody else.
func (h *host) withPair(pair tls.Certificate) *host {
	other := *h
	other.cert = &pair
	return &other
}

// reporting returns the body of a report in a host's name.
func reporting(t *testing.T, hostname string, sessions ...dcvix.Session) []byte {
	t.Helper()
	return directorapitest.JSON(t, dcvix.AgentUpdate{Sessions: sessions, Tags: []string{}, Stats: dcvix.Stats{Hostname: hostname}})
}

// The routes of agents let in nobody but the registered agent with its pinned
// key, whatever the certificate and whoever signed it.
func TestAgentsRoutesTurnAwayWhoIsNoRegisteredAgent(t *testing.T) {
	f := newFortress(t)
	own := dcvix.AgentCommonName + string(f.registered.guid)
	unknown := newHost(t, f.Server, "ws1")
	callers := map[string]struct {
		by *caller
		as *host // who is on record
	}{
		"no certificate":            {anybody(f.Server), nil},
		"an admin's login":          {f.admin, nil},
		"the director's own":        {f.registered.withPair(catest.Issue(t, f.CA, dcvix.DirectorCommonName, "localhost")).caller(), nil},
		"another CA's":              {f.registered.certified(t, catest.New(t), own).caller(), nil},
		"a GUID without its word":   {f.registered.certified(t, f.CA, string(f.registered.guid)).caller(), nil},
		"no agent's GUID":           {f.registered.certified(t, f.CA, dcvix.AgentCommonName+"1").caller(), nil},
		"a GUID in upper case":      {f.registered.certified(t, f.CA, strings.ToUpper(own)).caller(), nil},
		"another person's word":     {f.registered.certified(t, f.CA, "alice").caller(), nil},
		"a GUID that nobody knows":  {unknown.certified(t, f.CA, dcvix.AgentCommonName+string(unknown.guid)).caller(), unknown},
		"a known GUID, another key": {f.registered.withKey(newKey(t)).certified(t, f.CA, own).caller(), f.registered},
		"pending":                   {f.pending.certified(t, f.CA, dcvix.AgentCommonName+string(f.pending.guid)).caller(), f.pending},
		"denied":                    {f.denied.certified(t, f.CA, dcvix.AgentCommonName+string(f.denied.guid)).caller(), f.denied},
		"revoked":                   {f.revoked.caller(), f.revoked},
	}
	attacks := make(map[string]attack)
	for name, c := range callers {
		attacks[name+" reports"] = attack{
			by: c.by, path: dcvix.PathAgentUpdate, body: reporting(t, "ws1"), status: http.StatusUnauthorized,
			says: saysNoAgent, record: by(session.AuditAgentReport, c.as),
		}
		attacks[name+" renews"] = attack{
			by: c.by, path: dcvix.PathAgentRenew, body: directorapitest.JSON(t, dcvix.RenewRequest{CSR: f.registered.asks(t, nil)}),
			status: http.StatusUnauthorized, says: saysNoAgent, record: by(session.AuditAgentCertify, c.as),
		}
	}
	f.repel(t, attacks)
}

func TestRenewalRefusesWhatRegistrationWould(t *testing.T) {
	f := newFortress(t)
	h := f.registered
	renewal := func(csr []byte, status int, says string) attack {
		return attack{
			by: h.caller(), path: dcvix.PathAgentRenew, body: directorapitest.JSON(t, dcvix.RenewRequest{CSR: csr}),
			status: status, says: says, record: by(session.AuditAgentCertify, h),
		}
	}
	named := func(name string) []byte {
		return h.asks(t, func(r *x509.CertificateRequest) { r.Subject.CommonName = name })
	}
	spoiled := h.asks(t, nil)
	spoiled[len(spoiled)-1] ^= 1
	malformed := renewal(nil, http.StatusBadRequest, saysNotJSON)
	malformed.body = []byte("{")
	large := renewal(nil, http.StatusRequestEntityTooLarge, saysTooLarge)
	large.body = []byte(`{"csr":"` + strings.Repeat("A", 1<<20) + `"}`)
	f.repel(t, map[string]attack{
		"a bit of the signature flipped": renewal(spoiled, http.StatusBadRequest, saysCSR),
		"another agent's request":        renewal(f.other.asks(t, nil), http.StatusUnauthorized, saysCSRName),
		"its own key in another's name":  renewal(named(dcvix.AgentCommonName+string(f.other.guid)), http.StatusUnauthorized, saysCSRName),
		"the director's name":            renewal(named(dcvix.DirectorCommonName), http.StatusUnauthorized, saysCSRName),
		"a GUID that nobody has":         renewal(named(dcvix.AgentCommonName+uuid.NewString()), http.StatusUnauthorized, saysCSRName),
		"no request":                     renewal(nil, http.StatusBadRequest, saysCSR),
		"RSA 1024":                       renewal(h.withKey(rsaKey(t, 1024)).asks(t, nil), http.StatusBadRequest, saysWeakKey),
		"no JSON":                        malformed,
		"1 MiB":                          large,
	})
}

// Nobody can erase or forge what another host said: its sessions are in the state
// that repel compares.
func TestAReportForAnotherHostIsRefused(t *testing.T) {
	f := newFortress(t)
	renamed := *f.other
	renamed.name = "ws7"
	require.Equal(t, http.StatusOK, renamed.register(t).status, "its wish is noted")
	report := func(body []byte, status int, says string) attack {
		return attack{
			by: f.other.caller(), path: dcvix.PathAgentUpdate, body: body, status: status, says: says,
			record: by(session.AuditAgentReport, f.other),
		}
	}
	const forbidden = "You may not use this, or it does not exist."
	forged := dcvix.Session{ID: "s1", Owner: "mallory", Type: "virtual"}
	attacks := map[string]attack{
		"no JSON":            report([]byte(`{"sessions":`), http.StatusBadRequest, saysNotJSON),
		"no body":            report([]byte{}, http.StatusBadRequest, "The request has no body: send JSON."),
		"a session's number": report([]byte(`{"sessions":[{"id":7}]}`), http.StatusBadRequest, `The field "sessions.id" of the request cannot be a number.`),
		"memory below zero":  report([]byte(`{"stats":{"hostname":"ws2","free_memory":-1}}`), http.StatusBadRequest, `The field "stats.free_memory" of the request cannot be a number.`),
		"1 MiB":              report(reporting(t, strings.Repeat("x", 1<<20)), http.StatusRequestEntityTooLarge, saysTooLarge),
	}
	for name, hostname := range map[string]string{
		"another agent's name":          "ws1",
		"in upper case":                 "WS1",
		"with a final dot":              "ws1.",
		"the name it wishes":            "ws7",
		"the director's name":           "director.lab",
		"no name":                       "",
		"a name with a newline":         "ws2\nws1",
		"a name with a NUL":             "ws2\x00",
		"its name with more behind":     "ws2x",
		"its name below another's":      "ws1.ws2",
		"a name of 10 kB":               strings.Repeat("ws2.", 2500),
		"its name with a long s":        "w\u017f2",
		"its name as part of a path":    "ws2/../ws1",
		"its name with a port behind":   "ws2:22",
		"an address":                    "127.0.0.1",
		"a wildcard":                    "*",
		"its name between blanks":       " ws2 ",
		"another's, its own as a field": `ws1","hostname":"ws2`,
	} {
		attacks[name+", no sessions"] = report(reporting(t, hostname), http.StatusForbidden, forbidden)
		attacks[name+", a forged session"] = report(reporting(t, hostname, forged), http.StatusForbidden, forbidden)
	}
	f.repel(t, attacks)
	r := f.other.caller().send(t, http.MethodPost, dcvix.PathAgentUpdate, reporting(t, "ws1"))
	require.Equal(t, http.StatusForbidden, r.status)
	f.ahead.Add(1 << 36)
	r = f.other.caller().send(t, http.MethodPost, dcvix.PathAgentUpdate, reporting(t, "ws1"))
	require.Equal(t, http.StatusForbidden, r.status)
	all := records(t, f.audit)
	assert.Equal(t, "ws2 as ws1", all[len(all)-1].Old+" as "+all[len(all)-1].New, "the record says whom it spoke for")
}
