package directorcmd

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/ldap"
)

func ldapBackend(s *Section) BackendOpener {
	var cfg ldap.Config
	var password, caFile string
	s.List(&cfg.Addresses, "ldap_address", "ldap://127.0.0.1:389", "directory to ask, ldap:// or ldaps://; several, separated by commas, are asked in this order")
	s.Bool(&cfg.StartTLS, "ldap_starttls", false, "whether connections to ldap:// addresses are encrypted; without it passwords cross the network in clear")
	s.Path(&caFile, "ldap_ca_file", "", "file with the certificates of the CAs, in PEM, that may have signed the directory's; empty takes those of the system")
	s.Duration(&cfg.Timeout, "ldap_timeout", 5*time.Second, "how long one step may take: connecting, one bind, one search").Between(100*time.Millisecond, time.Minute)
	s.String(&cfg.BaseDN, "ldap_base_dn", "dc=example,dc=com", "below it people are searched")
	s.String(&cfg.BindUser, "ldap_bind_user", "cn=admin,dc=example,dc=com", "service account that searches them; empty searches anonymously")
	s.Secret(&password, "ldap_bind_password", "password", "password of the service account")
	s.String(&cfg.Filter, "ldap_filter", ldap.DefaultFilter, "finds a person; %s is the name as typed, escaped")
	s.String(&cfg.UserAttribute, "ldap_user_attribute", "", "attribute with the name that policies mean; empty takes sAMAccountName, else uid, else the name as typed")
	s.String(&cfg.GroupAttribute, "ldap_group_attribute", "memberOf", "attribute that names the groups; empty for none")
	return func(_ context.Context, logger *slog.Logger) (auth.Authenticator, error) {
		cfg.BindPassword, cfg.Logger = auth.Secret(password), logger
		var err error
		if cfg.RootCAs, err = certificatePool("ldap_ca_file", caFile); err != nil {
			return nil, err
		}
		return ldap.New(cfg)
	}
}

// certificatePool reads the file that a key names; without one it returns nil,
// which means the system's CAs.
func certificatePool(key, path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is how crypto/tls spells the system's CAs
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read, name a file with the CA's certificate in PEM: %w", key, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM: convert it with \"openssl x509 -inform DER -in FILE -out FILE.pem\"", key, path)
	}
	return pool, nil
}
