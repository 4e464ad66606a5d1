package directorapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
)

// adminActs are the acts of admins on one agent.
var adminActs = map[session.AuditAction]string{
	session.AuditAgentApprove:    dcvix.PathAdminAgentApprove,
	session.AuditAgentDeny:       dcvix.PathAdminAgentDeny,
	session.AuditAgentRevoke:     dcvix.PathAdminAgentRevoke,
	session.AuditAgentReactivate: dcvix.PathAdminAgentReactivate,
}

// byRoot is the record of what an admin is refused; target is "" for no agent.
func byRoot(action session.AuditAction, target dcvix.AgentID) session.AuditRecord {
	return session.AuditRecord{Action: action, Role: session.AuditAdmin, Actor: directorapitest.Root, Target: string(target)}
}

// onAgent is an attack of an admin on an agent that is told 404.
func (f *fortress) onAgent(action session.AuditAction, id dcvix.AgentID, says string) attack {
	return attack{
		by: f.admin, path: dcvix.Path(adminActs[action], string(id)), body: []byte{}, status: http.StatusNotFound,
		says: says, record: byRoot(action, id),
	}
}

func TestActsOfAdminsNeedTheRightState(t *testing.T) {
	f := newFortress(t)
	unknown := dcvix.AgentID(uuid.NewString())
	attacks := make(map[string]attack)
	for action := range adminActs {
		attacks[string(action)+" of an unknown one"] = f.onAgent(action, unknown, saysNothing)
		attacks[string(action)+" of a denied one"] = f.onAgent(action, f.denied.guid, saysNothing)
	}
	for action, wrong := range map[session.AuditAction]map[string]*host{
		session.AuditAgentApprove:    {"a registered one": f.registered, "a revoked one": f.revoked},
		session.AuditAgentDeny:       {"a registered one": f.registered, "a revoked one": f.revoked},
		session.AuditAgentRevoke:     {"a pending one": f.pending, "a revoked one": f.revoked},
		session.AuditAgentReactivate: {"a pending one": f.pending, "a registered one": f.registered},
	} {
		for state, h := range wrong {
			attacks[string(action)+" of "+state] = f.onAgent(action, h.guid, saysState)
		}
	}
	f.repel(t, attacks)
}

func TestActsOfAdminsNeedAGUID(t *testing.T) {
	f := newFortress(t)
	attacks := make(map[string]attack)
	for name, guid := range map[string]string{
		"upper case":      strings.ToUpper(string(f.pending.guid)),
		"braces":          "%7B" + string(f.pending.guid) + "%7D",
		"a URN":           "urn:uuid:" + string(f.pending.guid),
		"version 1":       "9f8c7d6e-1b2a-1c3d-8e4f-0a1b2c3d4e5f",
		"a NUL":           string(f.pending.guid) + "%00",
		"a newline":       string(f.pending.guid) + "%0a",
		"a host name":     "ws0",
		"a path":          "..%2f" + string(f.pending.guid),
		"a common name":   dcvix.AgentCommonName + string(f.pending.guid),
		"a star":          "*",
		"10 kB":           strings.Repeat("a", 10_000),
		"SQL":             "x'--",
		"the nil UUID":    "00000000-0000-0000-0000-000000000000",
		"two, by a comma": string(f.pending.guid) + "," + string(f.registered.guid),
	} {
		for action, path := range adminActs {
			a := f.onAgent(action, "", saysNothing)
			a.path = strings.Replace(path, "{guid}", guid, 1)
			attacks[string(action)+" of "+name] = a
		}
	}
	f.repel(t, attacks)
}

func TestActsOfAdminsAreForAdmins(t *testing.T) {
	f := newFortress(t)
	alice := loggedIn(t, f.Server, dcvix.PathUserLogin, directorapitest.Alice)
	demoted := loggedIn(t, f.Server, dcvix.PathAdminLogin, directorapitest.Root)
	f.Policy.Set(t, `[{"id": "root"}, {"id": "alice"}]`, "")
	attacks := make(map[string]attack)
	for action, path := range adminActs {
		for name, c := range map[string]struct {
			by     *caller
			status int
			says   string
			record session.AuditRecord
		}{
			"a stranger":      {anybody(f.Server), http.StatusUnauthorized, "Log in first.", session.AuditRecord{Action: action}},
			"an agent":        {f.pending.certified(t, f.CA, dcvix.AgentCommonName+string(f.pending.guid)).caller(), http.StatusUnauthorized, "Log in first.", session.AuditRecord{Action: action}},
			"a user":          {alice, http.StatusForbidden, "This needs a login as admin.", session.AuditRecord{Action: action, Role: session.AuditUser, Actor: "alice"}},
			"one who was one": {demoted, http.StatusForbidden, "This needs a login as admin.", session.AuditRecord{Action: action, Role: session.AuditUser, Actor: "root"}},
		} {
			attacks[string(action)+" by "+name] = attack{
				by: c.by, path: dcvix.Path(path, string(f.pending.guid)), body: []byte{}, status: c.status, says: c.says, record: c.record,
			}
		}
	}
	f.repel(t, attacks)
}

func TestApprovalRefusesNamesThatAreTakenReservedOrNone(t *testing.T) {
	f := newFortress(t)
	require.Equal(t, http.StatusOK, f.admin.post(t, dcvix.Path(dcvix.PathAdminAgentApprove, string(f.other.guid)), dcvix.ApproveRequest{Aliases: []dcvix.Hostname{"cad1"}}).status)
	waiting := func(name string) dcvix.AgentID {
		h := newHost(t, f.Server, name)
		require.Equal(t, http.StatusForbidden, h.register(t).status)
		return h.guid
	}
	wishing := func(name string) dcvix.AgentID { // a registered agent that asks for another name
		h := approved(t, f.Server, "was-"+name)
		h.name = name
		require.Equal(t, http.StatusOK, h.register(t).status)
		return h.guid
	}
	approve := func(id dcvix.AgentID, body string, status int, says string) attack {
		a := f.onAgent(session.AuditAgentApprove, id, says)
		a.body, a.status = []byte(body), status
		return a
	}
	taken := func(by string, id dcvix.AgentID, body string) attack {
		return approve(id, body, http.StatusConflict, "The registered agent "+by+" has this name (key KEY, last seen TIME), and this one is another "+
			"(key KEY, never seen, known since TIME): compare both, then approve with replace, or revoke one.")
	}
	reserved := func(id dcvix.AgentID, body string) attack {
		return approve(id, body, http.StatusConflict, "This host name is the director's own: give the host another one.")
	}
	bad := func(body, says string) attack { return approve(f.pending.guid, body, http.StatusBadRequest, says) }
	const saysAlias = `An alias is not a host name: use letters, digits, "-" and dots.`
	attacks := map[string]attack{
		"the name is an agent's":               taken("ws1", waiting("ws1"), ""),
		"the name is an agent's alias":         taken("ws2", waiting("cad1"), ""),
		"the wish is an agent's name":          taken("ws1", wishing("ws1"), ""),
		"an alias is an agent's name":          taken("ws1", f.pending.guid, `{"aliases":["free","WS1."]}`),
		"an alias is an agent's alias":         taken("ws2", f.pending.guid, `{"aliases":["cad1"]}`),
		"the name is the director's":           reserved(waiting("director.lab"), ""),
		"the name is localhost":                reserved(waiting("localhost"), ""),
		"the name is dcvix-director":           reserved(waiting("DCVIX-Director."), ""),
		"the wish is the director's":           reserved(wishing("director.lab"), ""),
		"an alias is the director's":           reserved(f.pending.guid, `{"aliases":["director.lab"]}`),
		"replacing does not free the reserved": reserved(f.pending.guid, `{"replace":true,"aliases":["localhost"]}`),
		"no JSON":                              bad(`{"replace":`, saysNotJSON),
		"two values":                           bad(`{} {}`, "The request has more than one JSON value: send one."),
		"replace is a word":                    bad(`{"replace":"yes"}`, `The field "replace" of the request cannot be a string.`),
		"an array":                             bad(`[]`, "The request is a JSON array: send an object."),
	}
	for name, alias := range map[string]string{
		"none": "", "a wildcard": "*", "an address": "10.0.0.1", "a newline": `ws1\nws2`, "a NUL": `ws\u0000`, "an option": "-x",
		"an escape": `\u001b[2J`, "the Kelvin sign": `\u212a`, "254 bytes": strings.Repeat("a.", 126) + "aa",
	} {
		attacks["an alias is "+name] = bad(`{"aliases":["good","`+alias+`"]}`, saysAlias)
	}
	f.repel(t, attacks)
}

func TestAReactivatedAgentTakesNoNameFromAnother(t *testing.T) {
	f := newFortress(t)
	approved(t, f.Server, "ws3") // the revoked one's name has a new holder
	a := f.onAgent(session.AuditAgentReactivate, f.revoked.guid,
		"Another registered agent has this host name: compare both, then approve with replace, or revoke one.")
	a.status = http.StatusConflict
	f.repel(t, map[string]attack{"its name has another holder": a})
	assert.Equal(t, dcvix.AgentRevoked, agentOf(t, f.Server, f.revoked.guid).State)
}
