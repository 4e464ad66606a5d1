package dcvix_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// wire are the messages of the protocol with every field set. Their spelling is
// the contract: a golden file changes only by new lines.
func wire() map[string]any { // any: as encoding/json
	at := dcvix.Time{Time: time.Date(2026, 3, 5, 8, 41, 12, 4_518_000, time.UTC)}
	const guid = "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f"
	session := dcvix.Session{
		ID: "console", Owner: "alice", User: "alice", NumOfConnections: 1, CreationTime: at, LastDisconnectionTime: at,
		LicensingMode: "demo", StorageRoot: "/home/alice", Type: dcvix.SessionConsole, Status: "created",
		X11Display: ":0", X11Authority: "/run/x", UID: "console-ws1", ServerID: "ws1", LastSeen: at,
	}
	stats := dcvix.Stats{Hostname: "ws1", FreeMemory: 1, TotalMemory: 2, Cores: 4, CPUUsage: 12.5, Load1: 0.1, Load5: 0.2, Load15: 0.3}
	gpus := []dcvix.GPU{{Index: 1, Model: "NVIDIA L4", Driver: "550.54.15", Usage: 12, EncoderUsage: 3, UsedMemory: 1, TotalMemory: 2, Temperature: 41}}
	licence := &dcvix.Licence{Mode: "demo", Products: []dcvix.LicensedProduct{{Product: "dcv", Status: "licensed", CheckedAt: at, ExpiresAt: at}}}
	half := 50.25
	counts := dcvix.SessionCounts{Total: 3, Connected: 2}
	return map[string]any{
		"policy-response": dcvix.PolicyResponse{
			Problems: []dcvix.PolicyProblem{{File: "users.json", Line: 3, Entry: `user "alice"`, Problem: "p", Suggestion: "s"}},
			Entries:  []dcvix.PolicyEntry{{Kind: dcvix.PolicyUser, Name: "alice", File: "users.json", Line: 3, Admin: true, Custom: true, Hosts: 2, Pools: []string{"cad"}}},
			Pools:    []dcvix.PolicyPoolEntry{{ID: "cad", File: "pools.json", Line: 2, Hosts: []string{"ws1"}, Pools: []string{"gpu"}, Total: 3, Strategy: "pack", Require: []string{"gpu"}, Custom: true}},
		},
		"policy-reach": dcvix.PolicyReach{
			Name: "ws1", ServerID: "ws1.lab", By: []dcvix.PolicyReacher{{Kind: dcvix.PolicyGroup, Name: "cad", From: "e"}}, Any: []dcvix.PolicyReacher{},
		},
		"overview": dcvix.Overview{
			Version: "0.2.0", LastReportAt: at, Hosts: dcvix.HostCounts{Total: 15, Drained: 1, Silent: 2, Starting: 3, Offline: 4, Ready: 5}, Sessions: counts,
			Agents: dcvix.AgentCounts{Pending: 1, Registered: 15, Revoked: 2, Conflicts: 1}, PolicyProblems: 7, BusiestPool: &dcvix.PoolUse{ID: "cad", Hosts: 8, Used: 6, Free: 2},
			History: dcvix.LoadHistory{Begin: at, StepSeconds: 900, Points: []*dcvix.SessionCounts{nil, &counts}}, CA: dcvix.CertificateEnd{Fingerprint: "AA:BB", EndsAt: at},
			Certificates: []dcvix.CertificateEnd{{ServerID: "ws1", GUID: guid, EndsAt: at}}, Licences: []dcvix.LicenceEnd{{ServerID: "ws1", Product: "dcv", Demo: true, EndsAt: at}},
			Attention: []dcvix.Attention{{
				Kind: "agent-pending", Severity: dcvix.SeverityWarning, Text: "t", Since: at, ServerID: "ws1", GUID: guid, PoolID: "cad", Fingerprint: "AA", Acts: []string{"approve"},
			}}, AttentionTotal: 1,
		},
		"host-history": dcvix.HostHistory{ServerID: "ws1", Begin: at, StepSeconds: 60, Samples: []*dcvix.HostSample{
			nil, {CPU: 12.5, Memory: &half, GPU: &half, GPUMemory: &half, Load: 0.31, Sessions: 2, Connections: 1}, {CPU: 1},
		}},
		"health":                 dcvix.Health{Status: "healthy", Protocol: 2, Version: "0.2.0"},
		"login-request":          dcvix.LoginRequest{UserID: "alice", Password: "p", OTP: "123456", Challenge: "c"},
		"login-options":          dcvix.LoginOptions{OTP: dcvix.OTPOptional},
		"servers-response":       dcvix.ServersResponse{Servers: []string{"ws1", dcvix.AllowCustom}},
		"servers-response-empty": dcvix.ServersResponse{Servers: []string{}, Reason: "r"},
		"policy-access": dcvix.PolicyAccess{
			User: "alice", Groups: []string{"cad"}, Entries: []string{"e"}, Admin: []string{"e"}, Custom: []string{"e"},
			Hosts: []dcvix.PolicyHost{{Name: "ws1", From: "e", Agents: []dcvix.Hostname{"ws1.lab"}}, {Name: "ws2", From: "e", Agents: []dcvix.Hostname{}}, {Name: "ws3", From: "e"}},
			Pools: []dcvix.PolicyPool{{ID: "cad", From: "e", Hosts: []string{"ws2"}, Strategy: "pack", Require: []string{"gpu"}}},
		},
		"create-session-request":  dcvix.CreateSessionRequest{ServerID: "ws1", SessionType: "Console", UserID: "alice", SessionID: "s1"},
		"create-session-response": dcvix.CreateSessionResponse{SessionID: "s1", ServerID: "ws1", SessionType: dcvix.SessionConsole, Reused: true},
		"connection-token":        dcvix.ConnectionTokenResponse{Token: "t", Host: "ws1", Port: 8443, WebURLPath: "/", SessionID: "s1", ExpiresAt: at},
		"resolve-request":         dcvix.ResolveSessionRequest{SessionID: "s1", Transport: dcvix.TransportQUIC, ClientIPAddress: "198.51.100.24"},
		"resolved-session":        dcvix.ResolvedSession{SessionID: "s1", TransportProtocol: "QUIC", DCVServerEndpoint: "ws1", Port: 8443, WebURLPath: "/"},
		"resolved-session-of-0.1": dcvix.OldResolvedSession{SessionID: "s1", TransportProtocol: "QUIC", DCVServerEndpoint: "ws1", Port: "8443", WebURLPath: "/"},
		"close-session-response":  dcvix.CloseSessionResponse{Status: "success", Code: 200, Message: "m", Body: "b"},
		"register-request":        dcvix.RegisterRequest{CSR: []byte{0, 0xff}, GUID: guid, Hostname: "ws1", RegistrationToken: "r", AgentPort: 8446},
		"register-response":       dcvix.RegisterResponse{Certificate: "PEM", CA: "PEM", AgentID: guid, RenewalIntervalSeconds: 43200},
		"pending-response":        dcvix.PendingResponse{Error: dcvix.PendingApproval},
		"renew-request":           dcvix.RenewRequest{CSR: []byte{0, 0xff}},
		"renew-response":          dcvix.RenewResponse{Certificate: "PEM", RenewalIntervalSeconds: 43200},
		"agent-update":            dcvix.AgentUpdate{Sessions: []dcvix.Session{session}, Stats: stats, Tags: []string{"linux"}, AgentPort: 8446, DCVPort: 8443, UpdateIntervalSeconds: 30, Version: "0.2.0", Problems: []string{"p"}, GPUs: gpus, Licence: licence},
		"agent-create-session":    dcvix.AgentCreateSession{UserID: "alice", SessionType: dcvix.SessionVirtual, SessionID: "s1"},
		"agent-created-session":   dcvix.AgentCreatedSession{SessionID: "s1"},
		"server":                  dcvix.Server{Stats: stats, AgentIP: "10.0.0.7", Tags: []string{"linux"}, LastSeen: at, Sessions: []dcvix.Session{session}, Problems: []string{"p"}, GPUs: gpus, Licence: licence},
		"config-request":          dcvix.ConfigRequest{Config: []dcvix.Setting{{Section: "display", Key: "quality", Value: "(30, 80)"}}},
		"approve-request":         dcvix.ApproveRequest{Replace: true, Aliases: []dcvix.Hostname{"cad1"}},
		"approve-many-request":    dcvix.ApproveManyRequest{GUIDs: []dcvix.AgentID{guid}},
		"approve-many-response":   dcvix.ApproveManyResponse{Results: []dcvix.ApproveResult{{GUID: guid, Status: 200}, {GUID: guid, Status: 409, Detail: "d"}}},
		"denial":                  dcvix.Denial{GUID: guid, Fingerprint: "AA:BB", DeniedAt: at},
		"problem":                 dcvix.Problem{Type: "urn:dcvix:otp-required", Title: "Unauthorized", Status: 401, Detail: "d", Instance: "i", Prompt: "Code?", Challenge: "c"},
		"agent-never-seen":        dcvix.Agent{GUID: guid, Hostname: "ws1", State: dcvix.AgentPending, CreatedAt: at, Tags: []string{}, Fingerprint: "AA"},
		"session-never-left":      dcvix.Session{ID: "s1"},
		"agent-update-of-nothing": dcvix.AgentUpdate{Sessions: []dcvix.Session{}, Tags: []string{}},
		"connection-token-of-0.1": dcvix.ConnectionTokenResponse{Token: "t"},
		"create-session-of-0.1":   dcvix.CreateSessionResponse{SessionID: "s1"},
		"register-request-of-0.1": dcvix.RegisterRequest{CSR: []byte{0, 0xff}, GUID: guid, Hostname: "ws1"},
		"agent": dcvix.Agent{
			GUID: guid, Hostname: "ws1", State: dcvix.AgentRegistered, CreatedAt: at, RegisteredAt: at, LastSeenAt: at, CertSerial: "ff",
			Tags: []string{"linux"}, Fingerprint: "AA:BB", RequestedHostname: "ws2", Aliases: []dcvix.Hostname{"cad1"}, Conflict: true, Version: "0.2.0",
		},
	}
}

func TestTheSpellingOfEveryMessageIsFrozen(t *testing.T) {
	for name, message := range wire() {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(message, "", "  ")
			require.NoError(t, err)
			got = append(got, '\n')
			path := filepath.Join("testdata", "wire", name+".json")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, got, 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "go test -run %s -update writes it", t.Name())
			assert.Equal(t, string(want), string(got))

			back := reflect.New(reflect.TypeOf(message)) // as a reader of the other side does
			require.NoError(t, json.Unmarshal(want, back.Interface()))
			assert.Equal(t, message, back.Elem().Interface())
		})
	}
}

func TestReadersIgnoreKeysTheyDoNotKnow(t *testing.T) {
	var s dcvix.Session
	require.NoError(t, json.Unmarshal([]byte(`{"id":"s1","future":[{}],"creation-time":""}`), &s))
	assert.Equal(t, dcvix.Session{ID: "s1"}, s)
}

func TestPath(t *testing.T) {
	tests := map[string]struct {
		pattern string
		args    []string
		want    string
	}{
		"nothing to fill in":       {dcvix.PathHealth, nil, "/v1/health"},
		"an id":                    {dcvix.PathSession, []string{"console"}, "/v1/sessions/console"},
		"in the middle":            {dcvix.PathAdminAgentApprove, []string{"g"}, "/v1/admin/agents/g/approve"},
		"a slash":                  {dcvix.PathSession, []string{"a/../b"}, "/v1/sessions/a%2F..%2Fb"},
		"a query":                  {dcvix.PathSession, []string{"a?b#c"}, "/v1/sessions/a%3Fb%23c"},
		"a percent sign":           {dcvix.PathSession, []string{"%2f"}, "/v1/sessions/%252f"},
		"braces are not filled":    {"/{a}/{b}", []string{"{b}", "x"}, "/%7Bb%7D/x"},
		"a newline":                {dcvix.PathSession, []string{"a\nb"}, "/v1/sessions/a%0Ab"},
		"two parts":                {"/{a}/{b}", []string{"1", "2"}, "/1/2"},
		"more args than parts":     {"/{a}", []string{"1", "2"}, "/1"},
		"braces the wrong way":     {"/}a{", []string{"1"}, "/}a{"},
		"no parts and some args":   {"/a", []string{"1"}, "/a"},
		"a part that stays as is":  {"/{a}/{b}", []string{"1"}, "/1/{b}"},
		"letters that need escape": {dcvix.PathSession, []string{"ä b"}, "/v1/sessions/%C3%A4%20b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, dcvix.Path(tt.pattern, tt.args...)) })
	}
}

func TestAnErrorIsItsSentence(t *testing.T) {
	err := error(&dcvix.Error{Code: dcvix.CodeConflict, Message: "The host's console is in use.", Status: 409})
	assert.EqualError(t, err, "The host's console is in use.")
}
