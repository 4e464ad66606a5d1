package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/examples/examplestest"
)

func TestMain(m *testing.M) { examplestest.Main(m, main) }

const password = "looking & glass"

// loginService is the site's own. It knows alice, and like an LDAP server takes
// an empty password for no login at all, which is fine with it.
func loginService(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.PostFormValue("password")
		if r.Method == http.MethodPost && (given == "" || given == password && r.PostFormValue("user") == "alice") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestSiteKeepsThePromisesOfABackend(t *testing.T) {
	up, down := loginService(t), loginService(t)
	down.Close()
	authtest.TestAuthenticator(t, authtest.Target{
		Authenticator: &site{url: up.URL, client: up.Client()},
		Down:          &site{url: down.URL, client: down.Client()},
		Good:          auth.Credentials{User: "alice", Password: password},
		Want:          auth.Identity{User: "alice"},
	})
}

func TestSiteTakesNothingButItsTwoAnswersForAnAnswer(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusFound, http.StatusUnauthorized, http.StatusInternalServerError} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			s := httptest.NewTLSServer(http.RedirectHandler("/elsewhere", status))
			defer s.Close()
			client := s.Client()
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			_, err := (&site{url: s.URL, client: client}).Authenticate(t.Context(), auth.Credentials{User: "alice", Password: password})
			assert.ErrorIs(t, err, auth.ErrUnavailable)
		})
	}
}

// conf writes a configuration with that [site_auth] and returns its path.
func conf(t *testing.T, siteAuth string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dcvix-director.conf")
	require.NoError(t, os.WriteFile(path, []byte("[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\ndata_dir = data\nauth_type = site\n"+
		"token_key_file = data/token.key\n[site_auth]\n"+siteAuth), 0o600))
	return path
}

func TestDirectorLogsInWithTheSiteBackend(t *testing.T) {
	service := loginService(t)
	caFile := filepath.Join(t.TempDir(), "site.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw}
	require.NoError(t, os.WriteFile(caFile, pem.EncodeToMemory(block), 0o600))
	path := conf(t, fmt.Sprintf("url = %s/check\nca_file = %s\n", service.URL, caFile))

	p := examplestest.Start(t, nil, "--conf", path)
	address := p.Await(`msg="director started".* address=(\S+)`)[1]
	authority, err := ca.Open(filepath.Join(filepath.Dir(path), "data"), ca.Config{})
	require.NoError(t, err)
	alice, err := client.New(client.Config{URL: "https://" + address, TLS: &tls.Config{RootCAs: authority.Pool()}})
	require.NoError(t, err)
	defer alice.Close()

	refused := alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: "something"})
	said := (*dcvix.Error)(nil)
	require.ErrorAs(t, refused, &said)
	assert.Equal(t, dcvix.CodeUnauthenticated, said.Code)
	require.NoError(t, alice.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))
	p.Stop()
	assert.NotContains(t, p.Output(), password)
}

func TestWrongSiteSectionIsRefusedWithTheRemedy(t *testing.T) {
	for name, tt := range map[string]struct{ section, want string }{
		"an unknown key":            {section: "uri = https://x\n", want: "did you mean url?"},
		"passwords in the clear":    {section: "url = http://x\n", want: "[site_auth]: url = http://x would show passwords to others: write one that starts with https://"},
		"a missing ca_file":         {section: "ca_file = nowhere.pem\n", want: "ca_file: open "},
		"a ca_file that holds none": {section: "ca_file = dcvix-director.conf\n", want: "has no certificate in PEM"},
		"a bad time-out":            {section: "timeout = soon\n", want: `"soon" is not a duration`},
	} {
		t.Run(name, func(t *testing.T) {
			p := examplestest.Start(t, nil, "--conf", conf(t, tt.section))
			assert.Equal(t, 2, p.Wait())
			assert.Contains(t, p.Output(), tt.want)
		})
	}
}
