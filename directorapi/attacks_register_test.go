package directorapi_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
)

// stranger is an attack on registration by somebody who is told that it is
// malformed.
func stranger(body []byte, says string) attack {
	return attack{
		path: dcvix.PathAgentRegister, body: body, status: http.StatusBadRequest, says: says,
		record: by(session.AuditAgentRegister, nil),
	}
}

// registration returns the body with which the host asks for that certificate.
func (h *host) registration(t *testing.T, csr []byte) []byte {
	t.Helper()
	return directorapitest.JSON(t, dcvix.RegisterRequest{CSR: csr, GUID: h.guid, Hostname: h.name})
}

func TestRegistrationRefusesRequestsWithoutProof(t *testing.T) {
	f := newFortress(t)
	h := newHost(t, f.Server, "ws9")
	good := h.asks(t, nil)
	flipped := func(i int) []byte {
		der := bytes.Clone(good)
		der[(len(der)+i)%len(der)] ^= 1
		return der
	}
	text := func(csr string) []byte {
		return fmt.Appendf(nil, `{"csr":%q,"guid":%q,"hostname":"ws9"}`, csr, h.guid)
	}
	malformed := func(csr []byte) attack { return stranger(h.registration(t, csr), saysCSR) }
	weak := func(h *host) attack { return stranger(h.registration(t, h.asks(t, nil)), saysWeakKey) }
	tooLarge := stranger(h.registration(t, h.asks(t, manyNames(2600))), saysTooLarge)
	tooLarge.status = http.StatusRequestEntityTooLarge
	f.repel(t, map[string]attack{
		"the last bit of the signature flipped":           malformed(flipped(-1)),
		"a bit in the middle of the signature flipped":    malformed(flipped(-32)),
		"a bit of the key flipped":                        malformed(flipped(len(good) - 90)),
		"a bit of the name flipped":                       malformed(flipped(30)),
		"trailing bytes":                                  malformed(append(bytes.Clone(good), 0)),
		"cut short":                                       malformed(good[:len(good)-1]),
		"no request at all":                               malformed(nil),
		"PEM in place of DER":                             malformed(ca.EncodePEM(f.CA.Certificate())),
		"a certificate in place of a request":             malformed(f.CA.Certificate().Raw),
		"a request of 10 kB whose signature is another's": malformed(append(h.asks(t, manyNames(400))[:10_000], good[len(good)-64:]...)),
		"not base64":                                      stranger(text("***"), "A field of the request is not base64: check it and send it again."),
		"base64 for URLs":                                 stranger(text(base64.URLEncoding.EncodeToString([]byte("\xff\xff\xff"))), "A field of the request is not base64: check it and send it again."),
		"a PEM text":                                      stranger(text("-----BEGIN CERTIFICATE REQUEST-----"), "A field of the request is not base64: check it and send it again."),
		"ECDSA P-224":                                     weak(h.withKey(ecKey(t, elliptic.P224()))),
		"RSA 1024":                                        weak(h.withKey(rsaKey(t, 1024))),
		"64 kB":                                           tooLarge,
	})
}

func TestRegistrationRefusesNamesThatAreNotTheGUIDs(t *testing.T) {
	f := newFortress(t)
	h := newHost(t, f.Server, "ws9")
	named := func(names ...string) attack {
		a := stranger(h.registration(t, h.asks(t, func(r *x509.CertificateRequest) {
			r.Subject = pkix.Name{}
			for _, n := range names {
				r.Subject.ExtraNames = append(r.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: n})
			}
		})), saysCSRName)
		a.status = http.StatusUnauthorized
		return a
	}
	own := dcvix.AgentCommonName + string(h.guid)
	f.repel(t, map[string]attack{
		"another GUID":               named(dcvix.AgentCommonName + string(f.registered.guid)),
		"no common name":             named(),
		"an empty one":               named(""),
		"the GUID without its word":  named(string(h.guid)),
		"the director's":             named(dcvix.DirectorCommonName),
		"the GUID in upper case":     named(dcvix.AgentCommonName + strings.ToUpper(string(h.guid))),
		"a longer one":               named(own + "0"),
		"a NUL behind it":            named(own + "\x00"),
		"two, the right one last":    named(dcvix.DirectorCommonName, own),
		"two, the right one first":   named(own, dcvix.DirectorCommonName),
		"two that are the right one": named(own, own),
	})
}

func TestRegistrationRefusesWhatIsNoGUID(t *testing.T) {
	f := newFortress(t)
	h := newHost(t, f.Server, "ws9")
	const good = "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f"
	attacks := make(map[string]attack)
	for name, guid := range map[string]string{
		"none":               "",
		"upper case":         strings.ToUpper(good),
		"braces":             "{" + good + "}",
		"a URN":              "urn:uuid:" + good,
		"no hyphens":         strings.ReplaceAll(good, "-", ""),
		"version 1":          "9f8c7d6e-1b2a-1c3d-8e4f-0a1b2c3d4e5f",
		"version 7":          "018f8c7d-6e1b-7c3d-8e4f-0a1b2c3d4e5f",
		"another variant":    "9f8c7d6e-1b2a-4c3d-ce4f-0a1b2c3d4e5f",
		"the nil UUID":       "00000000-0000-0000-0000-000000000000",
		"the max UUID":       "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"10 kB":              strings.Repeat(good, 300),
		"a NUL behind it":    good + "\x00",
		"a NUL inside":       "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5\x00",
		"a newline behind":   good + "\n",
		"a blank before":     " " + good,
		"full-width digits":  strings.Replace(good, "9", "９", 1),
		"a Cyrillic letter":  strings.Replace(good, "a", "а", 1),
		"a soft hyphen":      strings.Replace(good, "-", "\u00ad", 1),
		"a path":             "../" + good,
		"a known agent's, _": strings.Replace(string(f.registered.guid), "-", "_", 1),
	} {
		liar := *h
		liar.guid = dcvix.AgentID(guid)
		csr := h.asks(t, func(r *x509.CertificateRequest) { r.Subject.CommonName = dcvix.AgentCommonName + guid })
		attacks[name] = stranger(liar.registration(t, csr), saysGUID)
	}
	f.repel(t, attacks)
}

func TestRegistrationRefusesWhatIsNoHostName(t *testing.T) {
	f := newFortress(t)
	h := newHost(t, f.Server, "")
	attacks := make(map[string]attack)
	for name, hostname := range map[string]string{
		"none":                      "",
		"a newline":                 "ws1\nlevel=ERROR msg=forged",
		"a carriage return":         "ws1\r",
		"a NUL":                     "ws1\x00.lab",
		"a bell":                    "ws1\a",
		"a terminal's escape":       "\x1b[2Jws1",
		"a C1 control":              "ws1\u009b31m",
		"right to left":             "ws1\u202e",
		"254 bytes":                 strings.Repeat("a.", 126) + "aa",
		"10 kB":                     strings.Repeat("a", 10_000),
		"a label of 64":             strings.Repeat("a", 64) + ".lab",
		"two final dots":            "ws1..",
		"an empty label":            "ws1..lab",
		"only a dot":                ".",
		"a wildcard":                "*.lab",
		"an address":                "10.0.0.1",
		"an address in short":       "127.1",
		"an address in hexadecimal": "0x7f.0.0.0x1",
		"an address as a number":    "2130706433",
		"an IPv6 address":           "::1",
		"one in brackets":           "[::1]",
		"a port":                    "ws1:22",
		"a user":                    "root@ws1",
		"a path":                    "ws1/../ws2",
		"an option":                 "-oProxyCommand=x",
		"a command":                 "ws1;reboot",
		"an underscore":             "ws_1",
		"blanks around it":          " ws1 ",
		"the Kelvin sign":           "\u212a1",
		"full-width letters":        "ｗｓ１",
		"a Cyrillic letter":         "wѕ1",
	} {
		liar := *h
		liar.name = hostname
		attacks[name] = stranger(liar.registration(t, h.asks(t, nil)), saysHostname)
	}
	attacks["bytes that are no UTF-8"] = stranger(
		bytes.Replace(h.registration(t, h.asks(t, nil)), []byte(`"hostname":""`), []byte("\"hostname\":\"ws1\xff\""), 1), saysHostname)
	f.repel(t, attacks)
}

func TestRegistrationRefusesWhatIsNotTheJSONAskedFor(t *testing.T) {
	f := newFortress(t)
	h := newHost(t, f.Server, "ws9")
	good := string(h.registration(t, h.asks(t, nil)))
	with := func(field string) []byte { return []byte(strings.TrimSuffix(good, "}") + "," + field + "}") }
	const notJSON = saysNotJSON
	attacks := map[string]attack{
		"no body":                               stranger([]byte{}, "The request has no body: send JSON."),
		"blanks":                                stranger([]byte(" \n"), "The request has no body: send JSON."),
		"half of it":                            stranger([]byte(good[:len(good)/2]), notJSON),
		"a byte order mark":                     stranger([]byte("\xef\xbb\xbf"+good), notJSON),
		"UTF-16":                                stranger([]byte("\xff\xfe{\x00}\x00"), notJSON),
		"a form":                                stranger([]byte("guid=1&hostname=ws9"), notJSON),
		"XML":                                   stranger([]byte("<register/>"), notJSON),
		"a comment":                             stranger([]byte("/**/"+good), notJSON),
		"10,000 levels":                         stranger(with(`"more":`+strings.Repeat("[", 10_001)+strings.Repeat("]", 10_001)), notJSON),
		"a second value":                        stranger([]byte(good+good), "The request has more than one JSON value: send one."),
		"garbage behind it":                     stranger([]byte(good+"x"), "The request has more than one JSON value: send one."),
		"null":                                  stranger([]byte("null"), saysGUID),
		"an array":                              stranger([]byte("["+good+"]"), "The request is a JSON array: send an object."),
		"a string":                              stranger([]byte(`"register"`), "The request is a JSON string: send an object."),
		"a GUID that is a list":                 stranger(with(`"guid":["x"]`), `The field "guid" of the request cannot be a array.`),
		"a name that is a number":               stranger(with(`"hostname":7`), `The field "hostname" of the request cannot be a number.`),
		"a port of 1,000 digits":                stranger(with(`"agentPort":`+strings.Repeat("9", 1000)), `The field "agentPort" of the request cannot be a number.`),
		"a port of 1e400":                       stranger(with(`"agentPort":1e400`), `The field "agentPort" of the request cannot be a number.`),
		"half a port":                           stranger(with(`"agentPort":1024.5`), `The field "agentPort" of the request cannot be a number.`),
		"a port as text":                        stranger(with(`"agentPort":"8446"`), `The field "agentPort" of the request cannot be a string.`),
		"a privileged port":                     stranger(with(`"agentPort":22`), "The agent's port is between 1024 and 65535."),
		"a port below zero":                     stranger(with(`"agentPort":-1`), "The agent's port is between 1024 and 65535."),
		"a port beyond all":                     stranger(with(`"agentPort":65536`), "The agent's port is between 1024 and 65535."),
		"a host name twice":                     stranger(with(`"hostname":"*"`), saysHostname),
		"a host name twice, once in upper case": stranger(with(`"HOSTNAME":"*"`), saysHostname),
	}
	another := stranger(with(fmt.Sprintf(`"GUID":%q`, f.registered.guid)), saysCSRName)
	another.status = http.StatusUnauthorized
	attacks["a GUID twice, a known one last"] = another
	large := stranger(with(`"more":"`+strings.Repeat("x", 64<<10)+`"`), saysTooLarge)
	large.status = http.StatusRequestEntityTooLarge
	attacks["64 kB"] = large
	f.repel(t, attacks)
}

func TestAnotherKeyUnderAKnownGUIDIsRefusedAndShown(t *testing.T) {
	f := newFortress(t)
	attacks := make(map[string]attack)
	for name, h := range map[string]*host{"a pending one": f.pending, "a registered one": f.registered, "a revoked one": f.revoked} {
		thief := h.withKey(newKey(t))
		attacks[name] = attack{
			path: dcvix.PathAgentRegister, body: thief.registration(t, thief.asks(t, nil)), status: http.StatusUnauthorized,
			says: saysOtherKey, record: by(session.AuditAgentConflict, h), marks: h.guid,
		}
	}
	renewing := *f.other.withKey(newKey(t))
	attacks["renewal by the agent itself"] = attack{
		by: f.other.caller(), path: dcvix.PathAgentRenew, body: directorapitest.JSON(t, dcvix.RenewRequest{CSR: renewing.asks(t, nil)}),
		status: http.StatusUnauthorized, says: saysOtherKey, record: by(session.AuditAgentConflict, f.other), marks: f.other.guid,
	}
	f.repel(t, attacks)
	for _, h := range []*host{f.pending, f.registered, f.revoked, f.other} {
		assert.True(t, agentOf(t, f.Server, h.guid).Conflict, "the admin sees that another key was tried")
	}
}

func TestARevokedAgentDoesNotRegister(t *testing.T) {
	f := newFortress(t)
	f.repel(t, map[string]attack{"with its own key": {
		path: dcvix.PathAgentRegister, body: f.revoked.registration(t, f.revoked.asks(t, nil)), status: http.StatusUnauthorized,
		says: saysRevoked, record: by(session.AuditAgentRegister, f.revoked),
	}})
}

func TestStrangersWithoutTheTokenLeaveNoTrace(t *testing.T) {
	f := &fortress{store: new(memory.Store)}
	f.Server, f.audit, f.ahead = audited(t, directorapitest.WithBroker(func(c *session.Config) {
		c.Store, c.RegistrationToken = f.store, "sesame"
	}))
	f.registered = newHost(t, f.Server, "ws1")
	f.registered.token = "sesame"
	require.Equal(t, http.StatusForbidden, f.registered.register(t).status)
	require.NoError(t, f.AdminClient().Approve(t.Context(), f.registered.guid, dcvix.ApproveRequest{}))
	f.registered.token = ""
	require.Equal(t, http.StatusOK, f.registered.register(t).status, "a known agent needs none")
	h := newHost(t, f.Server, "ws9")
	attacks := make(map[string]attack)
	for name, token := range map[string]string{
		"none": "", "a wrong one": "open", "half of it": "ses", "more than it": "sesames", "upper case": "SESAME", "a blank behind": "sesame ", "60 kB": strings.Repeat("sesame", 10_000),
	} {
		a := stranger(directorapitest.JSON(t, dcvix.RegisterRequest{CSR: h.asks(t, nil), GUID: h.guid, Hostname: h.name, RegistrationToken: token}),
			"The registration token is wrong or missing.")
		a.status = http.StatusUnauthorized
		attacks[name] = a
	}
	f.repel(t, attacks)
}

func TestOneMoreThanMayWaitLeavesNoTrace(t *testing.T) {
	for name, limit := range map[string]directorapitest.Option{
		"of all":         directorapitest.WithBroker(func(c *session.Config) { c.PendingMax = 2 }),
		"of one address": directorapitest.WithBroker(func(c *session.Config) { c.PendingPerAddress = 6 }),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFortress(t, limit) // with five agents that were new, one of which waits
			require.Equal(t, http.StatusForbidden, newHost(t, f.Server, "ws8").register(t).status)
			h := newHost(t, f.Server, "ws9")
			a := stranger(h.registration(t, h.asks(t, nil)), "Too many new agents ask: an admin has to approve or deny some, or an hour has to pass.")
			a.status = http.StatusTooManyRequests
			f.repel(t, map[string]attack{"one more": a})
			assert.Equal(t, http.StatusForbidden, f.pending.register(t).status, "who waits may ask on")
		})
	}
}

func TestWhatARegistrationMayCarryBesides(t *testing.T) {
	f := newFortress(t)
	bodies := map[string]func(string) string{
		"fields that nobody knows": func(s string) string { return strings.TrimSuffix(s, "}") + `,"state":"registered","aliases":["ws2"]}` },
		"field names in upper case": func(s string) string {
			return strings.NewReplacer(`"guid"`, `"GUID"`, `"hostname"`, `"HostName"`).Replace(s)
		},
		"a name in upper case with a final dot": func(s string) string { return strings.Replace(s, "ws9", "WS9.", 1) },
		"blanks around it":                      func(s string) string { return "\n\t" + s + "\r\n " },
		"a wrong name first":                    func(s string) string { return `{"hostname":"*",` + strings.TrimPrefix(s, "{") },
		"bytes that are no UTF-8 elsewhere":     func(s string) string { return strings.TrimSuffix(s, "}") + ",\"more\":\"\xff\"}" },
	}
	types := []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"}
	for name, change := range bodies {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, f.Server, "ws9")
			for _, contentType := range types {
				c := anybody(f.Server)
				c.header = map[string]string{"Content-Type": contentType}
				r := c.send(t, http.MethodPost, dcvix.PathAgentRegister, []byte(change(string(h.registration(t, h.asks(t, nil))))))
				require.Equal(t, http.StatusForbidden, r.status, r.body)
				assert.JSONEq(t, `{"error":"pending approval"}`, r.body)
			}
			noted := agentOf(t, f.Server, h.guid)
			assert.Equal(t, dcvix.AgentPending, noted.State)
			assert.Equal(t, dcvix.Hostname("ws9"), noted.Hostname)
			assert.Empty(t, noted.Aliases)
		})
	}
	assert.Len(t, f.Broker.Agents(dcvix.AgentPending), 1+len(bodies))
}
