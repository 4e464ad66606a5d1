//go:build unix

package directorcmd_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A directory that lets the service account bind, takes one search and says
// nothing more. Messages of RFC 4511, written out.
func silentDirectory(t *testing.T) (address string, heard <-chan string) {
	t.Helper()
	bound := []byte{0x30, 0x0c, 0x02, 0x01, 0x01, 0x61, 0x07, 0x0a, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	all := make(chan string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					break
				}
				all <- string(buf[:n])
				_, _ = c.Write(bound)
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String(), all
}

func TestTheDirectoryIsAskedAsConfigured(t *testing.T) {
	address, heard := silentDirectory(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "password"), []byte(secret+"\n"), 0o600))
	path := confIn(t, dir, "auth_type = ldap", `[ldap_auth]
ldap_address = ldap://`+address+`
ldap_timeout = 200ms
ldap_base_dn = ou=people,dc=site
ldap_bind_user = cn=reader,dc=site
ldap_bind_password_file = password
ldap_filter = (employeeID=%s)
ldap_user_attribute = employeeNumber
ldap_group_attribute = isMemberOf
`)
	r, at := start(t, process(t, "--conf", path))
	r.await("passwords cross the network in clear")
	c, err := client.New(client.Config{URL: "https://" + at, TLS: trusting(t, path)})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	err = c.Login(t.Context(), dcvix.LoginRequest{UserID: "ali*ce", Password: password})

	require.ErrorContains(t, err, "login service")
	bind, search := <-heard, <-heard
	assert.Contains(t, bind, "cn=reader,dc=site")
	assert.Contains(t, bind, secret)
	for _, want := range []string{"ou=people,dc=site", "employeeID", "ali*ce", "employeeNumber", "isMemberOf"} {
		assert.Contains(t, search, want)
	}
	r.await("does not answer within 200ms")
	assert.NotContains(t, r.said(), secret)
}

func TestStartTLSComesBeforeAnythingElse(t *testing.T) {
	address, heard := silentDirectory(t)
	path := conf(t, "auth_type = ldap", "[ldap_auth]\nldap_address = ldap://"+address+"\nldap_starttls = yes\nldap_timeout = 200ms\n")
	r, at := start(t, process(t, "--conf", path))
	c, err := client.New(client.Config{URL: "https://" + at, TLS: trusting(t, path)})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	require.Error(t, c.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: password}))

	assert.Contains(t, <-heard, "1.3.6.1.4.1.1466.20037") // the name of StartTLS
	assert.NotContains(t, r.said(), "in clear")
}

func TestMistakesInTheSettingsOfTheDirectoryNameTheKey(t *testing.T) {
	der := filepath.Join(t.TempDir(), "ca.der")
	require.NoError(t, os.WriteFile(der, []byte{0x30, 0x03}, 0o600))
	tests := map[string]struct{ line, want string }{
		"a CA file that is not there": {"ldap_ca_file = /nothing/ca.pem", "[ldap_auth]: ldap_ca_file cannot be read"},
		"a CA file that is no PEM":    {"ldap_ca_file = " + der, "openssl x509 -inform DER"},
		"a filter without a place":    {"ldap_filter = (uid=alice)", "[ldap_auth]: ldap_filter"},
		"an address without a scheme": {"ldap_address = dc1.example", "write ldap://host:port"},
		"an empty password":           {"ldap_bind_password =", "ldap_bind_password is empty"},
		"a time-out of nothing":       {"ldap_timeout = 0", "100ms to 1m"},
		"a second factor half told":   {"otp_type = privacyidea", "privacyidea_url is missing"},
		"a misspelt key":              {"ldap_base = dc=x", "did you mean ldap_base_dn?"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := finish(t, process(t, "--conf", conf(t, "auth_type = ldap", "[ldap_auth]\n"+tt.line+"\n")))
			assert.Equal(t, directorcmd.ExitUsage, got.code, got.stderr)
			assert.Contains(t, got.sentence(t), tt.want)
		})
	}
}

func TestTheDefaultsOfTheDirectoryAreThoseOf01(t *testing.T) {
	path := conf(t, "auth_type = ldap", "")
	r, _ := start(t, process(t, "--conf", path))
	line := r.await(`passwords cross the network in clear.*server=(\S+)`)
	assert.Equal(t, "ldap://127.0.0.1:389", strings.TrimSpace(line[1]))
}
