//go:build unix

package directorcmd_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// promtool returns the command, which judges as Prometheus does.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing: run scripts/need promtool")
		}
		t.Skip("promtool is not here (scripts/need promtool)")
	}
	return path
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestPrometheusFindsTheMetrics(t *testing.T) {
	path := home(t, conf(t, "", "[metrics]\nlisten = 127.0.0.1:0\n"), waits(1, "ws1"))
	setUsers(t, path, `[{"id": "alice", "workstations": ["ws1"]}]`)
	r, address := start(t, process(t, "--conf", path))
	shown := r.await(`msg="metrics are shown" address=(\S+)`)[1]
	alice := person(t, path, address)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	require.Error(t, person(t, path, address).Login(t.Context(), dcvix.LoginRequest{UserID: "mallory-" + secret, Password: secret}))
	_, _ = alice.Servers(t.Context())
	odd, err := http.NewRequestWithContext(t.Context(), "BREW", "https://"+address+"/"+secret, nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: trusting(t, path), DisableKeepAlives: true}}).Do(odd)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	status, text := get(t, "http://"+shown+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`dcvix_http_requests_total{code="200",method="POST",route="` + dcvix.PathUserLogin + `"} 1`,
		`dcvix_http_requests_total{code="401",method="POST",route="` + dcvix.PathUserLogin + `"} 1`,
		`dcvix_http_requests_total{code="200",method="GET",route="` + dcvix.PathUserServers + `"} 1`,
		`dcvix_http_request_duration_seconds_count{route="` + dcvix.PathUserServers + `"} 1`,
		`dcvix_agents{state="pending"} 1`, `dcvix_agents{state="registered"} 0`, `dcvix_hosts{state="silent"} 0`, `dcvix_sessions{type="virtual"} 0`,
		`dcvix_verifications_total{answer="no"} 0`, `dcvix_policy_problems 1`, `dcvix_build_info{version="` + dcvix.Version + `"} 1`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.Regexp(t, `dcvix_http_requests_total\{code="\d+",method="other",route="other"\} 1\n`, text)
	assert.Regexp(t, `dcvix_certificate_not_after_timestamp_seconds\{certificate="ca"\} [0-9.e+]+\n`, text)
	assert.Contains(t, text, "go_goroutines ")
	for _, person := range []string{"alice", "mallory", secret, "ws1", "127.0.0.1"} {
		assert.NotContains(t, text, person, "no label tells of people or hosts")
	}
	status, _ = get(t, "http://"+shown+"/v1/health")
	assert.Equal(t, http.StatusNotFound, status, "there is nothing else")

	check := exec.CommandContext(t.Context(), promtool(t), "check", "metrics")
	check.Stdin = strings.NewReader(text)
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))
	names(t, text)
}

// names sees that alerts and dashboard ask for what there is.
func names(t *testing.T, text string) {
	t.Helper()
	for _, file := range []string{"alerts.yml", "grafana-dashboard.json"} {
		asked, err := os.ReadFile("../../packaging/monitoring/" + file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`dcvix_[a-z_]+`).FindAllString(string(asked), -1) {
			assert.Contains(t, text, "\n"+name, "%s asks for %s", file, name)
		}
	}
}

func TestAlertsAndDashboardAreWhatTheyAreFor(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), promtool(t), "check", "rules", "../../packaging/monitoring/alerts.yml").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "SUCCESS")
	out, err = exec.CommandContext(t.Context(), promtool(t), "test", "rules", "testdata/alerts_test.yml").CombinedOutput()
	require.NoError(t, err, "%s", out)

	text, err := os.ReadFile("../../packaging/monitoring/grafana-dashboard.json")
	require.NoError(t, err)
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &board))
	require.NotEmpty(t, board.Panels)
	var rules bytes.Buffer
	rules.WriteString("groups:\n- name: panels\n  rules:\n")
	n := 0
	for _, p := range board.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
		for _, q := range p.Targets {
			n++
			expr, err := json.Marshal(strings.ReplaceAll(q.Expr, "$instance", ".*"))
			require.NoError(t, err)
			rules.WriteString("  - record: panel" + strings.Repeat("x", n) + "\n    expr: " + string(expr) + "\n")
		}
	}
	file := t.TempDir() + "/rules.yml"
	require.NoError(t, os.WriteFile(file, rules.Bytes(), 0o600))
	out, err = exec.CommandContext(t.Context(), promtool(t), "check", "rules", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestMetricsAreAskedFor(t *testing.T) {
	r, _ := start(t, process(t, "--conf", conf(t, "", "")))
	assert.NotContains(t, r.said(), "metrics are shown")
	for listen, want := range map[string]string{"9445": "is not host:port", "127.0.0.1:port": "is not host:port"} {
		got := finish(t, process(t, "--conf", conf(t, "", "[metrics]\nlisten = "+listen+"\n")))
		assert.Equal(t, directorcmd.ExitUsage, got.code)
		assert.Contains(t, got.sentence(t), want)
	}
	got := finish(t, process(t, "--conf", conf(t, "", "[metrics]\nlisten = 192.0.2.1:9445\n")))
	assert.Equal(t, directorcmd.ExitFailure, got.code)
	assert.Contains(t, got.sentence(t), "the metrics cannot be shown at 192.0.2.1:9445, choose another address")
}

func TestHangupTakesTheLogLevelAndTheCertificateToo(t *testing.T) {
	path := conf(t, "", "[log]\nlevel = warning\nformat = json\n")
	change(t, path, "level = warning", "level = info")
	r := &running{t: t, cmd: process(t, "--conf", path)}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() })
	r.await(`"director started"`)
	change(t, path, "level = info", "level = debug")
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
	r.await(`"level":"INFO","msg":"log level changed","level":"debug"`)
	r.await(`"policy reloaded"`)
	change(t, path, "level = debug", "level = loud")
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
	r.await(`"configuration not read again, the log level stays"`)
	require.NoError(t, os.WriteFile(dataOf(path)+"/server.crt", []byte("hello"), 0o644))
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
	r.await(`"certificate not reloaded, the one before stays"`)
}
