package ldap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/ldap"
)

func TestABackendKeepsThePromises(t *testing.T) {
	s := slapd(t)
	tests := map[string]struct {
		address  string
		startTLS bool
	}{
		"in clear":      {address: s.plain},
		"with StartTLS": {address: s.plain, startTLS: true},
		"over TLS":      {address: s.tls},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := s.config(t)
			cfg.Addresses, cfg.StartTLS = []string{tt.address}, tt.startTLS
			down := cfg
			down.Addresses = []string{"ldap://127.0.0.1:" + freePort()}
			authtest.TestAuthenticator(t, authtest.Target{
				Authenticator: open(t, cfg),
				Good:          auth.Credentials{User: "alice", Password: alicePass},
				Want:          auth.Identity{User: "alice"},
				Down:          open(t, down),
			})
		})
	}
}

func TestNewNamesTheKeyToMend(t *testing.T) {
	good := ldap.Config{Addresses: []string{"ldaps://dc1.example.com"}, BaseDN: baseDN, BindUser: serviceDN, BindPassword: servicePass}
	good.Logger = logTo(t, nil)
	_, err := ldap.New(good)
	require.NoError(t, err)
	tests := map[string]struct {
		change func(*ldap.Config)
		want   []string
	}{
		"no address":                     {func(c *ldap.Config) { c.Addresses = nil }, []string{"ldap_address is empty", "ldaps://"}},
		"an address without a scheme":    {func(c *ldap.Config) { c.Addresses = []string{"dc1.example.com"} }, []string{"ldap_address", "ldap://host:port"}},
		"another scheme":                 {func(c *ldap.Config) { c.Addresses = []string{"https://dc1"} }, []string{"ldap_address", "neither ldap:// nor ldaps://"}},
		"an address with a path":         {func(c *ldap.Config) { c.Addresses = []string{"ldap://dc1/dc=x"} }, []string{"ldap_address", "ldap://host:port"}},
		"a password in the address":      {func(c *ldap.Config) { c.Addresses = []string{"ldap://a:b@dc1"} }, []string{"ldap_address", "ldap://host:port"}},
		"the second address is wrong":    {func(c *ldap.Config) { c.Addresses = []string{"ldap://dc1", "dc2"} }, []string{`"dc2"`}},
		"no base":                        {func(c *ldap.Config) { c.BaseDN = "" }, []string{"ldap_base_dn is empty", "dc=example,dc=com"}},
		"a base that is no DN":           {func(c *ldap.Config) { c.BaseDN = "example.com" }, []string{"ldap_base_dn", "dc=example,dc=com"}},
		"a service without a password":   {func(c *ldap.Config) { c.BindPassword = "" }, []string{"ldap_bind_password is empty", "anonymously"}},
		"a filter without a place":       {func(c *ldap.Config) { c.Filter = "(uid=alice)" }, []string{"ldap_filter", "no %s", "(sAMAccountName=%s)"}},
		"a filter without parentheses":   {func(c *ldap.Config) { c.Filter = "uid=%s" }, []string{"ldap_filter", "is no filter", "parentheses"}},
		"a filter with one too few":      {func(c *ldap.Config) { c.Filter = "(&(uid=%s)(a=b)" }, []string{"ldap_filter", "parentheses"}},
		"a filter with one too many":     {func(c *ldap.Config) { c.Filter = "(uid=%s))" }, []string{"ldap_filter", "parentheses"}},
		"the name as the attribute":      {func(c *ldap.Config) { c.Filter = "(%s=alice)" }, []string{"ldap_filter", "not the value"}},
		"the name as a filter":           {func(c *ldap.Config) { c.Filter = "(&%s(uid=alice))" }, []string{"ldap_filter", "not the value"}},
		"an attribute with an option":    {func(c *ldap.Config) { c.UserAttribute = "uid;x" }, []string{"ldap_user_attribute"}},
		"an attribute that is a list":    {func(c *ldap.Config) { c.GroupAttribute = "memberOf, ou" }, []string{"ldap_group_attribute", "memberOf"}},
		"several mistakes come together": {func(c *ldap.Config) { c.BaseDN, c.Filter = "", "x" }, []string{"ldap_base_dn", "ldap_filter"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)

			_, err := ldap.New(cfg)

			require.Error(t, err)
			for _, want := range tt.want {
				assert.Contains(t, err.Error(), want)
			}
			assert.NotContains(t, err.Error(), servicePass)
		})
	}
}

func TestOnlyAddressesInClearWarnAtStart(t *testing.T) {
	tests := map[string]struct {
		address  string
		startTLS bool
		warns    bool
	}{
		"ldap":               {address: "ldap://dc1", warns: true},
		"ldap in capitals":   {address: "LDAP://dc1", warns: true},
		"ldap with StartTLS": {address: "ldap://dc1", startTLS: true},
		"ldaps":              {address: "ldaps://dc1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := new(record)
			open(t, ldap.Config{Addresses: []string{"ldaps://dc0", tt.address}, StartTLS: tt.startTLS, BaseDN: baseDN, Logger: logTo(t, log)})

			assert.Equal(t, tt.warns, strings.Contains(log.String(), "passwords cross the network in clear"), log)
			if tt.warns {
				assert.Contains(t, log.String(), "ldap_starttls")
				assert.Contains(t, log.String(), "server="+tt.address)
			}
		})
	}
}

// A program of your own asks Active Directory like this.
func ExampleNew() {
	backend, err := ldap.New(ldap.Config{
		Addresses:      []string{"ldaps://dc1.example.com", "ldaps://dc2.example.com"},
		BaseDN:         "ou=People,dc=example,dc=com",
		BindUser:       "dcvix@example.com",
		BindPassword:   "secret of the service account",
		GroupAttribute: "memberOf",
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = backend.Close() }()
	var _ auth.Authenticator = backend // goes into directorapi.Config or standalone.Options
}
