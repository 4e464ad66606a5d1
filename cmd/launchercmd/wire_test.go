package launchercmd_test

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

const (
	goodPassword = "pa#ss;wo\\rd"
	goodToken    = "tok-en_SECRET"
)

// A stand is a stand-in for a director. Its fields are what a test changes.
type stand struct {
	*httptest.Server

	old      bool // like a director of the 0.1 generation
	otp      dcvix.OTPMode
	servers  []string
	sessions []dcvix.Session
	list     *dcvix.DesktopsResponse // nil means made of servers and sessions
	created  dcvix.CreateSessionResponse
	token    dcvix.ConnectionTokenResponse
	refuse   map[string]dcvix.Problem // by "METHOD /path"

	mu       sync.Mutex
	requests []string
	types    []string // of the sessions that were asked for
	pools    []string // POOL/HOST of them
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{
		otp:     dcvix.OTPNever,
		servers: []string{"ws1", "ws2.lab.example"},
		created: dcvix.CreateSessionResponse{SessionID: "dcvix_1"},
		token:   dcvix.ConnectionTokenResponse{Token: goodToken},
		refuse:  map[string]dcvix.Problem{},
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *stand) seen(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if r == request {
			n++
		}
	}
	return n
}

func (s *stand) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.Path
	s.mu.Lock()
	s.requests = append(s.requests, route)
	s.mu.Unlock()
	if p, ok := s.refuse[route]; ok {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.Status)
		_ = json.NewEncoder(w).Encode(p)
		return
	}
	isNew := route == "GET /v1/user/login" || route == "GET /v1/user/sessions" || route == "GET /v1/user/desktops" || route == "GET /v1/events"
	if s.old && isNew {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<html>director 0.1</html>")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/v1/health" && r.URL.Path != "/v1/user/login" {
		if cookie, err := r.Cookie(dcvix.CookieName); err != nil || cookie.Value != "v4.local.x" {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprint(w, "Log in first.")
			return
		}
	}
	switch route {
	case "GET /v1/health":
		_ = json.NewEncoder(w).Encode(dcvix.Health{Status: "healthy"})
	case "GET /v1/user/login":
		_ = json.NewEncoder(w).Encode(dcvix.LoginOptions{OTP: s.otp})
	case "POST /v1/user/login":
		s.login(w, r)
	case "GET /v1/user/servers":
		_ = json.NewEncoder(w).Encode(dcvix.ServersResponse{Servers: s.servers})
	case "GET /v1/user/desktops":
		_ = json.NewEncoder(w).Encode(s.desktops())
	case "GET /v1/user/sessions":
		_ = json.NewEncoder(w).Encode(s.sessions)
	case "POST /v1/user/sessions":
		var req dcvix.CreateSessionRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		s.mu.Lock()
		s.types = append(s.types, req.SessionType)
		s.pools = append(s.pools, req.PoolID+"/"+req.ServerID)
		s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(s.created)
	case "GET /v1/user/connectiontoken":
		_ = json.NewEncoder(w).Encode(s.token)
	default:
		_ = json.NewEncoder(w).Encode(dcvix.CloseSessionResponse{Status: "success", Code: 200})
	}
}

// desktops is what a new director makes of servers and sessions, or of list.
func (s *stand) desktops() dcvix.DesktopsResponse {
	if s.list != nil {
		return *s.list
	}
	var res dcvix.DesktopsResponse
	for _, name := range s.servers {
		if name == dcvix.AllowCustom {
			res.Custom = true
			continue
		}
		d := dcvix.Desktop{Kind: dcvix.DesktopHost, Name: name, State: "ready", Types: []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual}, Hosts: 1}
		label, _, _ := strings.Cut(strings.ToLower(name), ".")
		for _, session := range s.sessions {
			if on, _, _ := strings.Cut(string(session.ServerID), "."); on == label {
				d.State, d.Sessions = "own", append(d.Sessions, session)
			}
		}
		res.Desktops = append(res.Desktops, d)
	}
	return res
}

func (s *stand) login(w http.ResponseWriter, r *http.Request) {
	var req dcvix.LoginRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	p := dcvix.Problem{Status: http.StatusUnauthorized}
	switch {
	case req.Password != goodPassword:
		p.Detail = "User, password or code is wrong."
	case req.UserID == "otto" && req.Challenge == "":
		p.Type, p.Prompt, p.Challenge = dcvix.ProblemTypePrefix+"otp-required", "Code \x1b[2Jof your phone", "sealed"
	case (req.UserID == "otto" || s.otp == dcvix.OTPRequired) && req.OTP != "123456":
		p.Detail = "User, password or code is wrong."
	default:
		http.SetCookie(w, &http.Cookie{Name: dcvix.CookieName, Value: "v4.local.x"})
		_, _ = fmt.Fprint(w, "{}")
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// ca writes the certificate of the stand to a file.
func (s *stand) ca(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// A desk is a person's machine: folders of its own and a configuration file.
type desk struct {
	t      *testing.T
	stand  *stand
	dir    string
	conf   string
	record string // what the viewer saw
}

// newDesk sets the machine up. The viewer is this test binary, see TestMain.
func newDesk(t *testing.T, viewer string, lines ...string) *desk {
	t.Helper()
	dir := t.TempDir()
	s := newStand(t)
	d := &desk{t: t, stand: s, dir: dir, conf: filepath.Join(dir, "dcvix-launcher.conf"), record: filepath.Join(dir, "record")}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"} {
		t.Setenv(name, filepath.Join(dir, name))
	}
	t.Setenv("VIEWER_MODE", viewer)
	t.Setenv("VIEWER_RECORD", d.record)
	self, err := os.Executable()
	require.NoError(t, err)
	all := append([]string{
		"[dcvix-launcher]", "broker = " + s.URL, "user_id = alice", "command = " + self,
	}, lines...)
	if !strings.Contains(strings.Join(lines, "\n"), "ca-file") {
		all = append(all, "ca-file = "+s.ca(t, dir))
	}
	all = append(all, "[log]", "level = debug")
	require.NoError(t, os.WriteFile(d.conf, []byte(strings.Join(all, "\n")), 0o600))
	return d
}

// files are the connection files that are there.
func (d *desk) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "XDG_RUNTIME_DIR", "dcvix-launcher", "*"))
	require.NoError(t, err)
	return files
}
