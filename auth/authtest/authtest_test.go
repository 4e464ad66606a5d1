package authtest_test

import (
	"testing"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
)

func TestStaticKeepsThePromises(t *testing.T) {
	authtest.TestAuthenticator(t, authtest.Target{
		Authenticator: authtest.Static{
			Passwords: map[dcvix.Username]auth.Secret{"alice": "wonder"},
			Groups:    map[dcvix.Username][]string{"alice": {"cad", "gpu"}},
		},
		Good: auth.Credentials{User: "alice", Password: "wonder"},
		Want: auth.Identity{User: "alice", Groups: []string{"cad", "gpu"}},
	})
}
