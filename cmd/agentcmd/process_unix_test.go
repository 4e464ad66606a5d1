//go:build unix

package agentcmd_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// A director takes everybody and keeps the reports.
type director struct {
	*httptest.Server

	ca *ca.Authority

	mu        sync.Mutex // guards what follows
	pending   bool
	registers []dcvix.RegisterRequest
	updates   []dcvix.AgentUpdate
}

func newDirector(t testing.TB) *director {
	d := &director{ca: catest.New(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+dcvix.PathAgentRegister, d.register)
	mux.HandleFunc("POST "+dcvix.PathAgentUpdate, func(_ http.ResponseWriter, r *http.Request) {
		var u dcvix.AgentUpdate
		_ = json.NewDecoder(r.Body).Decode(&u)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.updates = append(d.updates, u)
	})
	d.Server = httptest.NewUnstartedServer(mux)
	d.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{catest.Issue(t, d.ca, dcvix.DirectorCommonName)}}
	d.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	d.StartTLS()
	t.Cleanup(d.Close)
	return d
}

func (d *director) register(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var asked dcvix.RegisterRequest
	_ = json.NewDecoder(r.Body).Decode(&asked)
	d.registers = append(d.registers, asked)
	if d.pending {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(dcvix.PendingResponse{Error: dcvix.PendingApproval})
		return
	}
	csr, err := ca.ParseCSR(asked.CSR)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	chain, err := d.ca.SignAgent(csr, ca.Identity{CommonName: csr.CommonNames()[0], DNSNames: csr.DNSNames()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	_ = json.NewEncoder(w).Encode(dcvix.RegisterResponse{Certificate: string(ca.EncodePEM(chain...)), CA: string(d.ca.PEM())})
}

// lines are the configuration's part about this director.
func (d *director) lines() string {
	u, _ := url.Parse(d.URL)
	return "director_host = 127.0.0.1\ndirector_port = " + u.Port() + "\nca_fingerprint = " + ca.FingerprintOf(d.ca.Certificate()).String()
}

// A buffer collects what a running process prints.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start runs the agent and waits until its log contains the text.
func start(t *testing.T, cmd *exec.Cmd, text string) *buffer {
	t.Helper()
	log := &buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, log, text)
	return log
}

func await(t *testing.T, log *buffer, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), text) }, 20*time.Second, 5*time.Millisecond, "%s: %s", text, log)
}

func TestAgentRunsAsAProcess(t *testing.T) {
	d := newDirector(t)
	path := conf(t, d.lines()+"\ntags = gpu, big\nregistration_token = t0ps3cret\ndcv_path = /nothing/dcv\ndcv_port = 9443\nreap_interval = 60", "[log]\nlevel = debug\n")
	cmd := process(t, "-conf", path)
	log := start(t, cmd, "listening for the director")
	require.Eventually(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.updates) > 0
	}, 20*time.Second, 5*time.Millisecond)
	d.mu.Lock()
	asked, update := d.registers[0], d.updates[0]
	d.mu.Unlock()
	assert.Equal(t, "t0ps3cret", asked.RegistrationToken)
	assert.Equal(t, "ws1", asked.Hostname)
	assert.Equal(t, []string{"gpu", "big", runtime.GOOS}, update.Tags)
	assert.Equal(t, 9443, update.DCVPort)
	assert.Equal(t, runtime.NumCPU(), update.Stats.Cores)
	assert.Positive(t, update.Stats.TotalMemory)
	assert.Positive(t, update.Stats.FreeMemory)
	require.Len(t, update.Problems, 1, "a missing dcv command is a problem of the host, not the end of the agent")
	assert.Contains(t, update.Problems[0], "there is no /nothing/dcv")
	assert.Contains(t, log.String(), "the dcv command cannot be found")
	assert.NotContains(t, log.String(), "reap_interval", "it has a meaning again")
	assert.NotContains(t, log.String(), "t0ps3cret")

	second := finish(t, process(t, "--conf", path))
	assert.Equal(t, 1, second.code)
	assert.Contains(t, second.stderr, "is in use by another process")

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), log.String())
	assert.Contains(t, log.String(), "msg=stopped")
	info, err := os.Stat(filepath.Join(filepath.Dir(path), "state", agentclient.KeyFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWaitingAgentStopsAtOnce(t *testing.T) {
	for name, sig := range map[string]os.Signal{"interrupt": os.Interrupt, "termination": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t)
			d.pending = true
			cmd := process(t, "--conf", conf(t, d.lines(), ""))
			start(t, cmd, "waiting for an admin to approve this agent")
			require.NoError(t, cmd.Process.Signal(sig))
			require.NoError(t, cmd.Wait())
		})
	}
}

func TestKilledAgentComesBackAsTheSame(t *testing.T) {
	d := newDirector(t)
	path := conf(t, d.lines(), "")
	cmd := process(t, "--conf", path)
	start(t, cmd, "listening for the director")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // of course it was
	start(t, process(t, "--conf", path), "listening for the director")
	d.mu.Lock()
	defer d.mu.Unlock()
	assert.Len(t, d.registers, 1, "its certificate is good still")
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	d := newDirector(t)
	d.pending = true
	cmd := process(t, "--conf", conf(t, d.lines(), ""))
	cmd.Env = append(cmd.Env, "DCVIX_AGENT_HOSTNAME=other.example", fmt.Sprintf("DCVIX_AGENT_AGENT_PORT=%d", freePort(t)))
	start(t, cmd, "waiting for an admin")
	d.mu.Lock()
	defer d.mu.Unlock()
	assert.Equal(t, "other.example", d.registers[0].Hostname)
}

func TestUnknownKeysAreWarningsWhenLenient(t *testing.T) {
	d := newDirector(t)
	d.pending = true
	cmd := process(t, "--lenient", "--conf", conf(t, d.lines()+"\nfrom_the_past = 1", ""))
	log := start(t, cmd, "waiting for an admin")
	assert.Contains(t, log.String(), "from_the_past")
}

func TestFileOfThe01GenerationLoadsUnchanged(t *testing.T) {
	d := newDirector(t)
	d.pending = true
	u, err := url.Parse(d.URL)
	require.NoError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "dcvix-agent.conf")
	text := fmt.Sprintf(`# agent
[agent]
director_host = 127.0.0.1
director_port = %s
agent_port    = %d
bind_address  = 0.0.0.0
tags          = gpu, lab ; two
dcv_path      = "/usr/bin/dcv"
update_interval = 30  ; seconds
reap_interval   = 60
data_dir = %s

[log]
level     = DEBUG
directory = %s
rotation  = 2
`, u.Port(), freePort(t), filepath.Join(dir, "data"), filepath.Join(dir, "log"))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	cmd := process(t, "-conf", path)
	stderr := start(t, cmd, "")
	require.Eventually(t, func() bool {
		logged, err := os.ReadFile(filepath.Join(dir, "log", "dcvix-agent.log"))
		return err == nil && bytes.Contains(logged, []byte("waiting for an admin"))
	}, 20*time.Second, 5*time.Millisecond, "%s", stderr)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	assert.Empty(t, stderr.String(), "all is in the log file")
}

func TestFirstSignalWaitsForCallsAndSecondKills(t *testing.T) {
	tests := map[string]struct {
		signals int
		want    string // of the process's end
	}{
		"one": {signals: 1, want: "exit status 0"},
		"two": {signals: 2, want: "signal: terminated"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDirector(t)
			dir, port := t.TempDir(), freePort(t)
			slow := filepath.Join(dir, "dcv")
			require.NoError(t, os.WriteFile(slow, []byte("#!/bin/sh\ntouch \"$0.called\"\nsleep 2\necho '[]'\n"), 0o700))
			cmd := process(t, "--conf", conf(t, d.lines()+fmt.Sprintf("\nupdate_interval = 0\nagent_port = %d\ndcv_path = %s", port, slow), ""))
			log := start(t, cmd, "listening for the director")
			answered := make(chan error, 1)
			go func() { answered <- d.call(t, port) }()
			require.Eventually(t, func() bool {
				_, err := os.Stat(slow + ".called")
				return err == nil
			}, 20*time.Second, 5*time.Millisecond, "the call arrives: %s", log)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			ended := make(chan struct{})
			go func() {
				_ = cmd.Wait() // the state says it all
				close(ended)
			}()
			again := time.NewTicker(10 * time.Millisecond) // nothing shows when the first one took effect
			defer again.Stop()
			for running := true; running; {
				select {
				case <-ended:
					running = false
				case <-again.C:
					if tt.signals == 2 {
						_ = cmd.Process.Signal(syscall.SIGTERM)
					}
				}
			}
			assert.Equal(t, tt.want, cmd.ProcessState.String())
			if err := <-answered; tt.signals == 1 {
				assert.NoError(t, err, "the call under way was answered")
			} else {
				assert.Error(t, err)
			}
		})
	}
}

// call asks the agent on that port for its sessions.
func (d *director) call(t *testing.T, port int) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: d.ca.Pool(), ServerName: "ws1", Certificates: []tls.Certificate{catest.Issue(t, d.ca, dcvix.DirectorCommonName)},
	}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, dcvix.PathSessions), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

func TestTheNextDirectorOfTheListIsAskedWhenTheFirstIsNotThere(t *testing.T) {
	d := newDirector(t)
	u, err := url.Parse(d.URL)
	require.NoError(t, err)
	path := conf(t, "director_host = 127.0.0.2, 127.0.0.1\ndirector_port = "+u.Port(), "")
	log := start(t, process(t, "--conf", path), "listening for the director")
	assert.Contains(t, log.String(), "director=127.0.0.1 before=127.0.0.2")
}

func TestBothSidesLogTheSameFingerprints(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "dcvix-director.conf"), []byte("[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\n"+
		"auth_type = external\ndata_dir = data\n[external_auth]\nexternal_command = /bin/true\n"), 0o600))
	said := &buffer{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- directorcmd.Run(ctx, directorcmd.Options{
			Args: []string{"--conf", filepath.Join(dir, "dcvix-director.conf")}, Environ: []string{}, Stderr: said,
		})
	}()
	defer func() {
		stop()
		assert.Zero(t, <-ended, "%s", said)
	}()
	await(t, said, "director started")
	started := regexp.MustCompile(`address=127.0.0.1:(\d+) .*ca_fingerprint=(\S+)`).FindStringSubmatch(said.String())
	require.NotNil(t, started, "%s", said)

	log := start(t, process(t, "--conf", conf(t, "director_port = "+started[1], "")), "waiting for an admin")
	seen := regexp.MustCompile(`first contact: .*ca_fingerprint=(\S+)`).FindStringSubmatch(log.String())
	require.NotNil(t, seen, "%s", log)
	assert.Equal(t, started[2], seen[1])
	assert.Regexp(t, "^([0-9A-F]{2}:){31}[0-9A-F]{2}$", seen[1], "as openssl prints it")
}
