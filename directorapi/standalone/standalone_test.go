package standalone_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

const password = "looking glass"

// options are the least a director needs.
func options(t *testing.T) standalone.Options {
	t.Helper()
	return standalone.Options{
		Authenticator: authtest.Static{Passwords: map[dcvix.Username]auth.Secret{"alice": password}},
		Logger:        slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func open(t *testing.T, dir string, opts standalone.Options) *standalone.Server {
	t.Helper()
	s, err := standalone.Open(t.Context(), dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// logIn returns the cookie of alice's login.
func logIn(t *testing.T, s *standalone.Server) *http.Cookie {
	t.Helper()
	body := strings.NewReader(`{"userID":"alice","password":"` + password + `"}`)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, dcvix.PathUserLogin, body)
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.Users().ServeHTTP(w, req)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	cookie, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	require.NoError(t, err)
	return cookie
}

// servers returns the answer to alice's question what she may use.
func servers(t *testing.T, s *standalone.Server, login *http.Cookie) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, dcvix.PathUserServers, nil)
	req.AddCookie(login)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// pending registers an agent of that name and returns its id.
func pending(t *testing.T, s *standalone.Server, name dcvix.Hostname) dcvix.AgentID {
	t.Helper()
	id := dcvix.AgentID(uuid.NewString())
	_, err := s.Broker().Register(t.Context(), session.Registration{ID: id, KeyHash: session.KeyHash{1}, Hostname: name})
	require.ErrorIs(t, err, session.ErrPending)
	return id
}

func TestSecondOpenIsTheSameDirector(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, options(t))
	require.NoError(t, os.WriteFile(filepath.Join(dir, standalone.PolicyFolder, session.UsersFile), []byte(`[{"id":"alice","workstations":["ws1"]}]`), 0o600))
	login := logIn(t, first)
	gone := logIn(t, first)
	id := pending(t, first, "ws1")
	require.NoError(t, first.Broker().Approve(t.Context(), id, session.Approval{}))
	claims := tokenClaims(t, dir, gone.Value)
	require.NoError(t, first.Broker().RevokeToken(t.Context(), claims.ID, claims.ExpiresAt))
	served := leaf(t, first)
	require.NoError(t, first.Close())

	second := open(t, dir, options(t))

	assert.Equal(t, first.CA().PEM(), second.CA().PEM())
	assert.Equal(t, served.Raw, leaf(t, second).Raw, "nor is the certificate another one")
	status, body := servers(t, second, login)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"servers":["ws1"]}`, body)
	status, _ = servers(t, second, gone)
	assert.Equal(t, http.StatusUnauthorized, status, "a logout outlives the director")
	a, err := second.Broker().Authorize(id, session.KeyHash{1})
	require.NoError(t, err)
	assert.EqualValues(t, "ws1", a.Hostname)
}

// tokenClaims opens a token with the key in the director's folder.
func tokenClaims(t *testing.T, dir, sealed string) token.Claims {
	t.Helper()
	key, err := standalone.OpenTokenKey(filepath.Join(dir, standalone.TokenKeyFile))
	require.NoError(t, err)
	sealer, err := token.New(token.Config{Keys: []token.Key{key}})
	require.NoError(t, err)
	claims, err := sealer.Open(sealed, token.User)
	require.NoError(t, err)
	return claims
}

// leaf returns the certificate that the director shows.
func leaf(t *testing.T, s *standalone.Server) *x509.Certificate {
	t.Helper()
	pair, err := s.TLSConfig().GetCertificate(nil)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	return cert
}

func TestCertificateHasTheNamesByWhichAgentsDial(t *testing.T) {
	opts := options(t)
	opts.Names = []string{"Director.Example.", "192.0.2.7", "director.example"}
	s := open(t, t.TempDir(), opts)
	host, err := os.Hostname()
	require.NoError(t, err)

	cert := leaf(t, s)

	assert.Equal(t, dcvix.DirectorCommonName, cert.Subject.CommonName)
	for _, name := range []string{"localhost", strings.ToLower(host), "director.example", "192.0.2.7", "127.0.0.1", "::1"} {
		_, err := cert.Verify(x509.VerifyOptions{Roots: s.CA().Pool(), DNSName: name})
		assert.NoError(t, err, name)
	}
	_, err = cert.Verify(x509.VerifyOptions{Roots: s.CA().Pool(), DNSName: "other.example"})
	assert.Error(t, err)
}

func TestIdentityIsOneListInOneOrder(t *testing.T) {
	a := standalone.Identity(t.Context(), []string{"b.example", "a.example", "2001:db8::1", "A.EXAMPLE.", "127.0.0.1", " ", ""})
	b := standalone.Identity(t.Context(), []string{"2001:db8::1", "a.example", "b.example"})

	assert.Equal(t, a, b, "neither order nor spelling makes another certificate")
	assert.Subset(t, a.DNSNames, []string{"a.example", "b.example", "localhost"})
	for _, ip := range a.IPs {
		assert.False(t, ip.IsLinkLocalUnicast(), ip)
	}
}

func TestNewNamesMakeANewCertificateOfTheSameKeys(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, options(t))
	opts := options(t)
	opts.Names = []string{"new.example"}
	after := open(t, dir, opts)

	assert.NoError(t, leaf(t, after).VerifyHostname("new.example"))
	assert.Equal(t, leaf(t, before).PublicKey, leaf(t, after).PublicKey)
	assert.Equal(t, before.CA().PEM(), after.CA().PEM())
}

func TestNoAgentMayHaveANameOfTheDirector(t *testing.T) {
	opts := options(t)
	opts.Names = []string{"director.example", "192.0.2.7"}
	s := open(t, t.TempDir(), opts)
	for _, name := range []dcvix.Hostname{dcvix.DirectorCommonName, "localhost", "director.example"} {
		err := s.Broker().Approve(t.Context(), pending(t, s, name), session.Approval{})
		assert.ErrorIs(t, err, session.ErrNameReserved, name)
	}
	id := pending(t, s, "ws1")
	require.ErrorIs(t, s.Broker().Approve(t.Context(), id, session.Approval{Aliases: []dcvix.Hostname{"director.example"}}), session.ErrNameReserved)
	assert.NoError(t, s.Broker().Approve(t.Context(), id, session.Approval{}))
}

func TestFolderKeepsItsSecretsToItsOwner(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps permissions elsewhere")
	}
	dir := filepath.Join(t.TempDir(), "director")
	open(t, dir, options(t))
	got := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		rel, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		got[rel] = info.Mode().Perm()
		return nil
	}))
	for _, name := range []string{ca.KeyFile, ca.ServerKeyFile, standalone.TokenKeyFile, standalone.DatabaseFile, standalone.AuditFile} {
		assert.Equal(t, fs.FileMode(0o600), got[name], name)
	}
	assert.Equal(t, fs.FileMode(0o700), got["."])
	delete(got, ".")
	known := []string{
		ca.KeyFile, ca.CertFile, ca.ServerKeyFile, ca.ServerCertFile, standalone.TokenKeyFile, standalone.AuditFile,
		standalone.DatabaseFile, standalone.DatabaseFile + "-wal", standalone.DatabaseFile + "-shm",
		standalone.PolicyFolder, filepath.Join(standalone.PolicyFolder, session.UsersFile), filepath.Join(standalone.PolicyFolder, session.PoolsFile),
		standalone.AuditFile,
	}
	for name, mode := range got {
		assert.Contains(t, known, name)
		assert.Zero(t, mode&0o022, "%s is writable by others", name)
	}
}

func TestFailedOpenNamesTheFileAndLeavesNothingBehind(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, dir string)
		want  []string
	}{
		"a key that others can read": {
			spoil: func(t *testing.T, dir string) { require.NoError(t, os.Chmod(filepath.Join(dir, ca.KeyFile), 0o644)) },
			want:  []string{ca.KeyFile, "chmod 600"},
		},
		"a policy that is no JSON": {
			spoil: func(t *testing.T, dir string) { overwrite(t, dir, "policydb/users.json", "[\n{") },
			want:  []string{"users.json:2"},
		},
		"a database that is none": {
			spoil: func(t *testing.T, dir string) {
				overwrite(t, dir, standalone.DatabaseFile, strings.Repeat("no database ", 500))
			},
			want: []string{standalone.DatabaseFile, "restore it or move it away"},
		},
		"a token key that is none": {
			spoil: func(t *testing.T, dir string) { overwrite(t, dir, standalone.TokenKeyFile, "none\n") },
			want:  []string{standalone.TokenKeyFile, "openssl rand -base64 32"},
		},
		"a server certificate that is none": {
			spoil: func(t *testing.T, dir string) { overwrite(t, dir, ca.ServerCertFile, "none") },
			want:  []string{ca.ServerCertFile},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := standalone.Open(t.Context(), dir, options(t))
			require.NoError(t, err)
			require.NoError(t, s.Close())
			tt.spoil(t, dir)
			running := goleak.IgnoreCurrent()

			_, err = standalone.Open(t.Context(), dir, options(t))

			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			goleak.VerifyNone(t, running)
			assert.Empty(t, openFiles(t, dir))
		})
	}
}

func TestOpenNeedsAnAuthenticator(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "director")
	_, err := standalone.Open(t.Context(), dir, standalone.Options{})
	require.ErrorContains(t, err, "Authenticator")
	assert.NoDirExists(t, dir)
}

func overwrite(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	for _, side := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + side) // a database may have them
	}
}

// openFiles returns the files below dir that this process has open.
func openFiles(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil // this system does not tell
	}
	var found []string
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && strings.HasPrefix(to, dir) {
			found = append(found, to)
		}
	}
	return found
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	running := goleak.IgnoreCurrent()
	s, err := standalone.Open(t.Context(), dir, options(t))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	stop()
	require.NoError(t, <-ran)
	require.NoError(t, s.Close())
	goleak.VerifyNone(t, running)
	assert.Empty(t, openFiles(t, dir))
}

func TestRunningDirectorRenewsItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		opts := options(t)
		opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		s, err := standalone.Open(t.Context(), t.TempDir(), opts)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		before := leaf(t, s)

		time.Sleep(time.Hour + time.Second)
		assert.Equal(t, before.Raw, leaf(t, s).Raw, "it is good still")
		ahead.Store(int64(61 * 24 * time.Hour))
		time.Sleep(time.Hour)
		after := leaf(t, s)

		assert.True(t, after.NotAfter.After(before.NotAfter))
		assert.Equal(t, before.DNSNames, after.DNSNames)
		stop()
		require.NoError(t, <-ran)
		require.NoError(t, s.Close())
	})
}

func TestPolicyIsReadAgainOnDemandAndTheLastGoodOneStays(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, options(t))
	assert.False(t, s.Broker().Access("bob", nil).Known)
	overwrite(t, dir, "policydb/users.json", `[{"id":"bob"}]`)
	require.NoError(t, s.ReloadPolicy(t.Context()))
	assert.True(t, s.Broker().Access("bob", nil).Known)
	overwrite(t, dir, "policydb/users.json", "[\n\n{]")
	require.ErrorContains(t, s.ReloadPolicy(t.Context()), "users.json:3")
	assert.True(t, s.Broker().Access("bob", nil).Known)
}

func TestHostsOfThePolicyThatAreNoAgentsAreLoggedWhenItIsReadAgain(t *testing.T) {
	dir, opts := t.TempDir(), options(t)
	var log bytes.Buffer
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, dir, opts)
	sessiontest.Join(t, s.Broker(), "ws1.lab")
	overwrite(t, dir, "policydb/users.json", "[{\"id\":\"bob\",\"workstations\":[\"ws1\",\n\"ws2.lab\"]}]")
	log.Reset()
	require.NoError(t, s.ReloadPolicy(t.Context()))
	assert.Contains(t, log.String(), `users.json:2: user \"bob\" has the workstation \"ws2.lab\", which no registered agent is. Did you mean \"ws1.lab\"?`)
	assert.Equal(t, 1, strings.Count(log.String(), "problem in the policy"))
	assert.Len(t, s.Broker().PolicyProblems(), 1)
}

func TestPolicyFolderAndTokenKeysCanBeElsewhere(t *testing.T) {
	dir, policy := t.TempDir(), filepath.Join(t.TempDir(), "policy")
	opts := options(t)
	opts.PolicyDir, opts.TokenKeys = policy, []token.Key{token.NewKey()}
	open(t, dir, opts)
	assert.FileExists(t, filepath.Join(policy, session.UsersFile))
	assert.NoDirExists(t, filepath.Join(dir, standalone.PolicyFolder))
	assert.NoFileExists(t, filepath.Join(dir, standalone.TokenKeyFile))
}

// listener returns a free port of the loopback interface.
func listener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() }) // Serve closes it
	return ln
}
