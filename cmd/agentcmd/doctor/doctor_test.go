//go:build unix

package doctor_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/cmd/agentcmd/doctor"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

func TestAHealthyHostIsAllWell(t *testing.T) {
	h := newHost(t)
	var text strings.Builder
	report := h.ask()
	require.NoError(t, report.WriteText(&text))
	assert.True(t, strings.HasSuffix(text.String(), "\nall well\n"), text.String())
	for _, f := range report.Findings {
		assert.Equal(t, doctor.OK, f.Level, f)
	}
}

func TestTheDoctorChangesNothing(t *testing.T) {
	h := newHost(t)
	before := h.listing()
	h.ask()
	assert.Equal(t, before, h.listing())
	assert.Empty(t, h.director.Broker.Agents(dcvix.AgentPending))
}

// listing is every file of the host's folder with its content and time.
func (h *host) listing() map[string]string {
	all := make(map[string]string)
	err := filepath.WalkDir(h.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(path, h.path("state")) || e.Name() == "dcv" {
			return err
		}
		text, err := os.ReadFile(path)
		info, statErr := e.Info()
		if statErr == nil {
			all[path] = fmt.Sprint(info.ModTime(), info.Mode(), string(text))
		}
		return err
	})
	require.NoError(h.t, err)
	return all
}

// A trouble is something that is wrong with a host and what the doctor says.
type trouble struct {
	make  func(h *host)
	check string
	level doctor.Level
	want  []string // in the text, the remedy or the command
}

func (tr trouble) test(t *testing.T, h *host) {
	t.Helper()
	tr.make(h)
	f := finding(h.ask(), tr.check)
	assert.Equal(t, tr.level, f.Level, f)
	for _, want := range tr.want {
		assert.Contains(t, strings.Join([]string{f.Text, f.Remedy, f.Command}, "\n"), want)
	}
	if tr.level == doctor.Problem || tr.level == doctor.Warning {
		assert.NotEmpty(t, f.Remedy)
	}
}

func run(t *testing.T, troubles map[string]trouble) {
	t.Helper()
	e := enrolled(t)
	for name, tr := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr.test(t, e.host(t))
		})
	}
}

func TestWhatIsWrongWithTheFilesOfTheAgent(t *testing.T) {
	run(t, map[string]trouble{
		"no configuration": {func(h *host) { h.cfg.File = "" }, "configuration", doctor.Warning, []string{"--write-config"}},
		"no folder":        {func(h *host) { h.cfg.DataDir = h.path("nothing") }, "data folder", doctor.Problem, []string{"never ran", "restart dcvix-agent"}},
		"a file as folder": {func(h *host) { h.cfg.DataDir = h.path("dcv.conf") }, "data folder", doctor.Problem, []string{"is a file", "data_dir"}},
		"an open folder":   {func(h *host) { h.chmod("data", 0o777) }, "data folder", doctor.Problem, []string{"chmod 700 "}},
		"an open key":      {func(h *host) { h.chmod("data/agent.key", 0o644) }, "data folder", doctor.Problem, []string{"chmod 600 ", "agent.key"}},
		"a damaged key": {func(h *host) {
			h.write("data/agent.key", "x")
			h.chmod("data/agent.key", 0o600)
		}, "data folder", doctor.Problem, []string{"agent.key", "puts a damaged key aside"}},
		"a damaged CA":            {func(h *host) { h.write("data/ca.pem", "x") }, "data folder", doctor.Problem, []string{"ca.pem", "Copy the director's CA"}},
		"a damaged certificate":   {func(h *host) { h.write("data/agent.crt", "x") }, "data folder", doctor.Problem, []string{"agent.crt", "asks for a new certificate"}},
		"nothing more without it": {func(h *host) { h.write("data/ca.pem", "x") }, "registration", doctor.Skipped, []string{"has to be mended first"}},
		"no key":                  {func(h *host) { h.remove("data/agent.key") }, "registration", doctor.Problem, []string{"never ran here"}},
	})
}

func TestWhatIsWrongOnTheWayToTheDirector(t *testing.T) {
	run(t, map[string]trouble{
		"no such name":   {func(h *host) { h.cfg.Directors = []string{"nothing.invalid"} }, "director", doctor.Problem, []string{"nothing.invalid does not resolve", "name service"}},
		"nobody listens": {func(h *host) { l := h.listen(); _ = l.Close(); h.cfg.DirectorPort = port(l) }, "director", doctor.Problem, []string{"connection refused", "director_port"}},
		"nobody answers": {func(h *host) { h.cfg.DirectorPort = port(h.listen()); h.cfg.Limit = time.Second }, "director", doctor.Problem, []string{"does not answer in time", "firewalls"}},
		"no time either": {func(h *host) { l := h.listen(); _ = l.Close(); h.cfg.DirectorPort = port(l) }, "clock", doctor.Skipped, []string{"No director said"}},
		"no TLS": {func(h *host) {
			s := httptest.NewServer(answering("hello"))
			h.t.Cleanup(s.Close)
			h.cfg.DirectorPort = port(s.Listener)
		}, "director", doctor.Problem, []string{"does not speak TLS"}},
		"another CA": {func(h *host) { _, h.cfg.DirectorPort = h.serve(catest.New(h.t), here(), answering("{}")) }, "director", doctor.Problem, []string{"was not issued by the CA", "somebody is in between"}},
		"another name": {func(h *host) {
			_, h.cfg.DirectorPort = h.serve(h.director.CA, ca.Identity{DNSNames: []string{"d.lab"}}, answering("{}"))
		}, "director", doctor.Problem, []string{"does not name 127.0.0.1. It names d.lab", "server_names"}},
		"another program":      {func(h *host) { _, h.cfg.DirectorPort = h.serve(h.director.CA, here(), answering("{}")) }, "director", doctor.Problem, []string{"is no director that is well"}},
		"an ended certificate": {func(h *host) { h.later(100 * 24 * time.Hour) }, "director", doctor.Problem, []string{"by the clock of this host"}},
		"one of two":           {func(h *host) { h.cfg.Directors = []string{"127.0.0.2", "127.0.0.1"} }, "director", doctor.Warning, []string{"127.0.0.2"}},
		"not known yet":        {func(h *host) { h.remove("data/ca.pem"); h.remove("data/agent.crt") }, "director", doctor.Warning, []string{"nothing says yet", "ca_fingerprint", "dcvix-director ca show"}},
		"another fingerprint":  {func(h *host) { h.cfg.CAFingerprint = strings.Repeat("AB:", 31) + "AB" }, "director", doctor.Problem, []string{"ca_fingerprint", "in between"}},
		"the right one": {func(h *host) {
			h.remove("data/ca.pem")
			h.cfg.CAFingerprint = ca.FingerprintOf(h.director.CA.Certificate()).String()
		}, "director", doctor.OK, []string{"answers"}},
		"a clock that is late":   {func(h *host) { h.later(-45 * time.Second) }, "clock", doctor.Warning, []string{"behind the director's", "Set the right time"}},
		"a clock that is early":  {func(h *host) { h.later(45 * time.Second) }, "clock", doctor.Warning, []string{"ahead of the director's"}},
		"a clock that is wrong":  {func(h *host) { h.later(6 * time.Minute) }, "clock", doctor.Problem, []string{"6m", "ahead of the director's"}},
		"a clock that is nearly": {func(h *host) { h.later(20 * time.Second) }, "clock", doctor.OK, nil},
	})
}

func TestWhatIsWrongWithTheAgent(t *testing.T) {
	run(t, map[string]trouble{
		"it does not run":  {func(h *host) { h.stopAgent() }, "agent", doctor.Problem, []string{"does not run", "restart dcvix-agent"}},
		"never registered": {func(h *host) { h.stopAgent(); h.remove("data/agent.crt") }, "registration", doctor.Problem, []string{"is not registered"}},
		"it waits":         {func(h *host) { h.agent.Stop(); h.remove("data/agent.crt") }, "agent", doctor.OK, []string{"once it is approved"}},
		"nobody approved it": {
			func(h *host) { h.agent.Stop(); h.remove("data/agent.crt") }, "registration", doctor.Problem,
			[]string{"has to approve", "dcvix-director agents approve"},
		},
		"its fingerprint is shown": {func(h *host) {
			h.agent.Stop()
			h.remove("data/agent.crt")
			h.t.Cleanup(func() {
				assert.Contains(h.t, finding(h.ask(), "registration").Text, h.agent.Fingerprint())
			})
		}, "registration", doctor.Problem, nil},
		"it does not listen": {func(h *host) { h.agent.Stop() }, "agent", doctor.Problem, []string{"nothing listens"}},
		"another program": {func(h *host) {
			s := httptest.NewServer(answering("x"))
			h.t.Cleanup(s.Close)
			h.cfg.AgentPort = port(s.Listener)
		}, "agent", doctor.Problem, []string{"Another program listens", "agent_port"}},
		"another key": {func(h *host) { _, h.cfg.AgentPort = h.serve(h.director.CA, here(), answering("x")) }, "agent", doctor.Problem, []string{"has another key"}},
		"its key, and open": {func(h *host) {
			pair, err := tls.LoadX509KeyPair(h.path("data/agent.crt"), h.path("data/agent.key"))
			require.NoError(h.t, err)
			s := httptest.NewUnstartedServer(answering("x"))
			s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
			s.StartTLS()
			h.t.Cleanup(s.Close)
			h.cfg.AgentPort = port(s.Listener)
		}, "agent", doctor.Problem, []string{"asks for no certificate"}},
		"a certificate of another key":  {func(h *host) { h.write("data/agent.crt", string(ca.EncodePEM(h.director.CA.Certificate()))) }, "registration", doctor.Problem, []string{"another key", "restart dcvix-agent"}},
		"a certificate of another GUID": {func(h *host) { h.write("data/agent.guid", "5c2eab8d-521f-4dd7-8c3c-e322f55219d0\n") }, "registration", doctor.Problem, []string{"another GUID"}},
		"a certificate without its CA":  {func(h *host) { h.remove("data/ca.pem") }, "registration", doctor.Problem, []string{"no ca.pem"}},
		"a certificate of another CA":   {func(h *host) { h.write("data/ca.pem", string(catest.New(h.t).PEM())) }, "registration", doctor.Problem, []string{"another CA"}},
		"a certificate that ended":      {func(h *host) { h.later(15 * 24 * time.Hour) }, "registration", doctor.Problem, []string{"ended on", "journalctl"}},
		"a certificate of tomorrow":     {func(h *host) { h.later(-48 * time.Hour) }, "registration", doctor.Problem, []string{"not good before", "Correct the clock"}},
		"a renewal that is late":        {func(h *host) { h.later(48 * time.Hour) }, "registration", doctor.Warning, []string{"should have been renewed", "journalctl"}},
		"a renewal that is due":         {func(h *host) { h.later(30 * time.Hour) }, "registration", doctor.OK, []string{"Registered as"}},
	})
}

func TestWhatIsWrongWithDCV(t *testing.T) {
	session := func(h *host) {
		_, err := h.dcv.Run(h.t.Context(), "create-session", "--type=virtual", "--owner=alice", "--user=alice", "a")
		require.NoError(h.t, err)
	}
	run(t, map[string]trouble{
		"not installed":          {func(h *host) { h.cfg.DCVPath = h.path("nothing") }, "dcv command", doctor.Problem, []string{"there is no", "dcv_path"}},
		"no licence seen either": {func(h *host) { h.cfg.DCVPath = h.path("nothing") }, "licence", doctor.Skipped, []string{"does not answer"}},
		"the server is down":     {func(h *host) { h.faults(dcvclitest.Faults{Down: true}) }, "dcv command", doctor.Problem, []string{"cannot be reached", "restart dcvserver"}},
		"it lists nothing":       {func(h *host) { h.script("version) echo 'Amazon DCV 2025.0 (r20103)';; *) exit 1;;") }, "dcv command", doctor.Problem, []string{"list-sessions", "restart dcvserver"}},
		"it is slow": {func(h *host) {
			h.faults(dcvclitest.Faults{Slow: 1200 * time.Millisecond})
			h.cfg.Limit = 4 * time.Second
		}, "dcv command", doctor.Warning, []string{"to answer"}},
		"it hangs":               {func(h *host) { h.faults(dcvclitest.Faults{Slow: time.Minute}); h.cfg.Limit = time.Second }, "dcv command", doctor.Problem, []string{"no answer within 1s"}},
		"nothing listens":        {func(h *host) { _ = h.server.Close() }, "DCV server", doctor.Problem, []string{"Nothing listens", "dcv_port"}},
		"another port":           {func(h *host) { h.set("connectivity", "web-port", dcvconf.Number(9443)) }, "DCV server", doctor.Problem, []string{"dcv_port = 9443"}},
		"a licence":              {session, "licence", doctor.OK, []string{"dcv (demo) is good until"}},
		"a licence that ends":    {func(h *host) { session(h); h.later(20 * 24 * time.Hour) }, "licence", doctor.Warning, []string{"ends on", "Renew"}},
		"a licence that ended":   {func(h *host) { session(h); h.later(31 * 24 * time.Hour) }, "licence", doctor.Problem, []string{"ended on"}},
		"a licence that is none": {func(h *host) { h.script(listing("unlicensed", "")) }, "licence", doctor.Problem, []string{"dcv (demo): unlicensed"}},
		"a licence without end":  {func(h *host) { h.script(listing("LICENSED", "")) }, "licence", doctor.OK, []string{"is licensed"}},
		"a console by itself":    {func(h *host) { h.set("session-management", "create-session", dcvconf.Bool(true)) }, "console", doctor.Warning, []string{"--console-owner", "no virtual session"}},
		"a console for somebody": {func(h *host) {
			h.set("session-management", "create-session", dcvconf.Bool(true))
			h.set("session-management/automatic-console-session", "owner", dcvconf.Text("alice"))
		}, "console", doctor.OK, []string{"alice"}},
		"no settings":            {func(h *host) { h.remove("dcv.conf") }, "DCV settings", doctor.Problem, []string{"no such file", "--dcv-conf"}},
		"no settings to look at": {func(h *host) { h.remove("dcv.conf") }, "verifier", doctor.Skipped, nil},
		"nobody is asked":        {func(h *host) { h.set("security", "auth-token-verifier", dcvconf.Text("")) }, "DCV settings", doctor.Problem, []string{"asks nobody", "dcvix-agent setup-dcv"}},
		"whoever answers":        {func(h *host) { h.set("security", "no-tls-strict", dcvconf.Bool(true)) }, "DCV settings", doctor.Problem, []string{"no-tls-strict"}},
		"in clear": {func(h *host) {
			h.set("security", "auth-token-verifier", dcvconf.Text("http://d.lab"+dcvix.PathAuthTokenVerify))
		}, "DCV settings", doctor.Problem, []string{"no verifier of a director over TLS"}},
		"another director":       {func(h *host) { h.verifier(h.director.CA, answering(`<auth result="no"/>`)) }, "DCV settings", doctor.Warning, []string{"as through a proxy"}},
		"no CA file":             {func(h *host) { h.set("security", "ca-file", dcvconf.Text("")) }, "DCV's CA file", doctor.Problem, []string{"no ca-file"}},
		"a CA file that is gone": {func(h *host) { h.remove("dcvix-ca.pem") }, "DCV's CA file", doctor.Problem, []string{"no such file", "setup-dcv"}},
		"a CA file that is none": {func(h *host) { h.write("dcvix-ca.pem", "x") }, "DCV's CA file", doctor.Problem, []string{"no certificate"}},
		"a CA file that is old":  {func(h *host) { h.write("dcvix-ca.pem", string(catest.New(h.t).PEM())) }, "DCV's CA file", doctor.Problem, []string{"not the CA of the agent's director any more", "setup-dcv"}},
		"a hidden CA file":       {func(h *host) { h.chmod("dcvix-ca.pem", 0o600) }, "DCV's CA file", doctor.Problem, []string{"cannot read", "chmod o+rX"}},
		"a hidden folder":        {func(h *host) { h.chmod(".", 0o700) }, "DCV's CA file", doctor.Problem, []string{"cannot read", "chmod o+rX"}},
		"a verifier of another":  {func(h *host) { h.write("dcvix-ca.pem", string(catest.New(h.t).PEM())) }, "verifier", doctor.Problem, []string{"does not believe the certificate"}},
		"a verifier that is away": {func(h *host) {
			l := h.listen()
			_ = l.Close()
			h.set("security", "auth-token-verifier", dcvconf.Text(fmt.Sprintf("https://127.0.0.1:%d%s", port(l), dcvix.PathAuthTokenVerify)))
		}, "verifier", doctor.Problem, []string{"connection refused"}},
		"a verifier that is none": {func(h *host) { h.verifier(h.director.CA, answering("hello")) }, "verifier", doctor.Problem, []string{"is no verifier"}},
		"a verifier that says yes": {
			func(h *host) {
				h.verifier(h.director.CA, answering(`<auth result="yes"><username>x</username></auth>`))
			}, "verifier", doctor.Problem,
			[]string{"everybody gets in"},
		},
	})
}

// verifier has DCV ask another server.
func (h *host) verifier(authority *ca.Authority, handler http.HandlerFunc) {
	h.t.Helper()
	address, _ := h.serve(authority, here(), handler)
	h.set("security", "auth-token-verifier", dcvconf.Text(address+dcvix.PathAuthTokenVerify))
}

// script makes dcv a shell script with those cases.
func (h *host) script(cases string) {
	h.t.Helper()
	h.remove("dcv")
	require.NoError(h.t, os.WriteFile(h.path("dcv"), []byte("#!/bin/sh\ncase $1 in\n"+cases+"\nesac\n"), 0o755))
}

func listing(status, expires string) string {
	return `version) echo 'Amazon DCV 2025.0 (r20103)';; *) echo '[{"id":"a","owner":"x","type":"console","licensing-mode":"demo","licenses":[{"product":"dcv","status":"` +
		status + `","expiration-date":"` + expires + `"}]}]';;`
}

func TestABrokenGPUToolIsSaid(t *testing.T) {
	h := newHost(t)
	require.NoError(t, os.WriteFile(h.path("nvidia-smi"), []byte("#!/bin/sh\nexit 9\n"), 0o755))
	t.Setenv("PATH", h.dir+":"+os.Getenv("PATH"))
	assert.Equal(t, doctor.Warning, finding(h.ask(), "GPU").Level)
	for _, healthy := range []string{"#!/bin/sh\necho GPU 0\n", "#!/bin/sh\nexit 6\n"} { // 6: no card
		require.NoError(t, os.WriteFile(h.path("nvidia-smi"), []byte(healthy), 0o755))
		assert.Equal(t, doctor.OK, finding(h.ask(), "GPU").Level)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	h := newHost(t)
	key, err := os.ReadFile(h.path("data/" + agentclient.KeyFile))
	require.NoError(t, err)
	secret := strings.Split(string(key), "\n")[1]
	h.later(400 * 24 * time.Hour)
	h.faults(dcvclitest.Faults{Down: true})
	var text, asJSON strings.Builder
	require.NoError(t, h.ask().WriteText(&text))
	require.NoError(t, h.ask().WriteJSON(&asJSON))
	assert.NotContains(t, text.String()+asJSON.String(), secret)
	assert.NotContains(t, text.String(), "PRIVATE KEY")
}
