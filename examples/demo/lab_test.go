//go:build unix

package main_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A lab is the demonstration's director, DCV server and agent in the hands of a test
// that wants to start, stop and change each by itself. It begins with a director that
// knows no agent, and with what a proxy in front of it would be.
type lab struct {
	t        *testing.T
	dir, bin string
	director string // address of its port
	control  string // where a walk in the browser asks for what hands at the machine would do
	prefixed string // the director behind a proxy, below a prefix

	mu      sync.Mutex
	running map[string]*exec.Cmd
}

// newLab takes over the folder of a demonstration that has stopped.
func newLab(t *testing.T, dir, bin string) *lab {
	t.Helper()
	l := &lab{t: t, dir: dir, bin: bin, running: make(map[string]*exec.Cmd)}
	register, err := filepath.Glob(filepath.Join(dir, "director", "agents.db*"))
	require.NoError(t, err)
	for _, path := range append(register, filepath.Join(dir, "agent"), filepath.Join(dir, "ws1", "state")) {
		require.NoError(t, os.RemoveAll(path))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "agent"), 0o700))
	l.director = net.JoinHostPort("localhost", l.key("director.conf", "director_port"))
	t.Cleanup(func() {
		for _, name := range []string{"agent", "dcv", "director"} {
			_ = l.end(name, syscall.SIGKILL)
		}
	})
	control := httptest.NewServer(l.hands())
	t.Cleanup(control.Close)
	l.control = control.URL
	l.prefixed = l.proxy("/desk/top/")
	return l
}

// key returns a value of a configuration file.
func (l *lab) key(file, name string) string {
	l.t.Helper()
	data, err := os.ReadFile(filepath.Join(l.dir, file))
	require.NoError(l.t, err)
	found := regexp.MustCompile(`(?m)^` + name + ` = (.*)$`).FindSubmatch(data)
	require.NotNil(l.t, found, "%s has no %s", file, name)
	return string(found[1])
}

// hands does what a walk asks for: POST /start/NAME, /stop/NAME, /kill/NAME, and
// PUT /policy/FILE.
func (l *lab) hands() http.Handler {
	mux := http.NewServeMux()
	do := func(act func(r *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if err := act(r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	}
	mux.HandleFunc("POST /start/{name}", do(func(r *http.Request) error { return l.start(r.Context(), r.PathValue("name")) }))
	mux.HandleFunc("POST /stop/{name}", do(func(r *http.Request) error { return l.end(r.PathValue("name"), syscall.SIGTERM) }))
	mux.HandleFunc("POST /kill/{name}", do(func(r *http.Request) error { return l.end(r.PathValue("name"), syscall.SIGKILL) }))
	mux.HandleFunc("PUT /policy/{file}", do(func(r *http.Request) error {
		path := filepath.Join(l.dir, "policydb", filepath.Base(r.PathValue("file")))
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		return os.WriteFile(path, text, 0o600)
	}))
	return mux
}

func (l *lab) start(ctx context.Context, name string) error {
	args := map[string][]string{
		"director": {"dcvix-director", "--conf", filepath.Join(l.dir, "director.conf")},
		"agent":    {"dcvix-agent", "--conf", filepath.Join(l.dir, "agent.conf")},
		"dcv": {
			"fakehost", "serve", "--name", "ws1.localhost", "--state", filepath.Join(l.dir, "ws1", "state"),
			"--listen", net.JoinHostPort("127.0.0.1", l.key("agent.conf", "dcv_port")),
			"--verifier", "https://" + l.director + "/v1/user/authtokenverify", "--ca-file", filepath.Join(l.dir, "director", "ca.pem"),
		},
	}[name]
	log, err := os.OpenFile(filepath.Join(l.dir, "lab-"+name+".log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(l.bin, args[0]), args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0 halt_on_error=1")
	if err := cmd.Start(); err != nil {
		return err
	}
	l.running[name] = cmd
	if name == "director" {
		return l.answers(ctx)
	}
	return nil
}

// answers waits until the director's port takes connections.
func (l *lab) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.director)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *lab) end(name string, s syscall.Signal) error {
	cmd := l.running[name]
	if cmd == nil {
		return nil
	}
	delete(l.running, name)
	if err := cmd.Process.Signal(s); err != nil {
		return err
	}
	_ = cmd.Wait() // a signal that ends it is no error here
	return nil
}

// proxy puts the director below a prefix, as a web server in front of it would.
func (l *lab) proxy(prefix string) string {
	target := &url.URL{Scheme: "https", Host: l.director}
	front := httptest.NewUnstartedServer(http.StripPrefix(strings.TrimSuffix(prefix, "/"), &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		FlushInterval: -1,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // both ends are this test's
	}))
	front.EnableHTTP2 = true
	front.StartTLS()
	l.t.Cleanup(front.Close)
	return front.URL + prefix
}

// walk lets a browser go through a file of walks.
func (l *lab) walk(file string) {
	l.t.Helper()
	walkBrowser(l.t, l.dir, file, "DCVIX_E2E_URL=https://"+l.director+"/", "DCVIX_E2E_CONTROL="+l.control, "DCVIX_E2E_PREFIXED="+l.prefixed)
}
