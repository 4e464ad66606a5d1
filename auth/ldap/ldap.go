// Package ldap asks an LDAP directory (RFC 4511), Active Directory among them,
// whether a login is good.
//
// A [Backend] binds as a service account, searches the entry of the person who
// logs in, and then binds as that entry, on a connection of its own, with the
// password that was typed. Connections of the service account are kept for the
// next search; one that a person was bound on is closed.
//
// Of several servers the one that answered last is asked first, and one that did
// not answer is left alone for some seconds. Referrals are not followed.
//
// Every refusal looks the same, in words and in what it costs: somebody whom the
// directory does not know is tried against an entry that does not exist. The
// logger alone hears the reason.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix/auth"
)

// DefaultFilter finds people in Active Directory.
const DefaultFilter = "(sAMAccountName=%s)"

// Config says which directory a [Backend] asks, and how. Addresses and BaseDN
// are required. Messages call its fields by their names in the configuration
// file: Addresses is ldap_address, and so on.
type Config struct {
	Addresses []string       // ldap://host[:port] and ldaps://host[:port], in the order of preference
	StartTLS  bool           // encrypts the connections to ldap:// addresses (RFC 4511, 4.14), or does without them
	RootCAs   *x509.CertPool // who may have signed the servers' certificates; nil means the system's
	Timeout   time.Duration  // of each step: connecting with TLS, one bind, one search; 0 means 5 s

	BaseDN       string      // below it people are searched
	BindUser     string      // DN of the service account (Active Directory takes user@domain too); "" searches anonymously
	BindPassword auth.Secret // its password; not used without BindUser

	Filter         string // finds a person; %s is the name as typed, escaped (RFC 4515); "" means DefaultFilter
	UserAttribute  string // holds the canonical name; "" means sAMAccountName, else uid, else the name as typed
	GroupAttribute string // names the groups, of a DN its CN counts; "" means that nobody has groups

	MaxConcurrent int // logins that run at once, others wait; 0 means 16

	// Dial connects; nil means a net.Dialer.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger // nil means slog.Default()
}

var _ auth.Authenticator = (*Backend)(nil)

// A Backend checks logins against a directory. It is safe for concurrent use.
type Backend struct {
	cfg     Config
	nobody  string // DN of an entry that does not exist
	servers []*server
	best    atomic.Int32 // index of the server that answered last
	running chan struct{}
}

// New returns a Backend. It connects to nothing. Its errors name the key to mend.
func New(cfg Config) (*Backend, error) {
	cfg = withDefaults(cfg)
	if err := errors.Join(checkBase(cfg.BaseDN), checkService(cfg), checkFilter(cfg.Filter),
		checkAttribute("ldap_user_attribute", cfg.UserAttribute), checkAttribute("ldap_group_attribute", cfg.GroupAttribute)); err != nil {
		return nil, err
	}
	b := &Backend{cfg: cfg, nobody: "cn=dcvix-no-such-user," + cfg.BaseDN, running: make(chan struct{}, cfg.MaxConcurrent)}
	for _, address := range cfg.Addresses {
		s, err := newServer(address, cfg)
		if err != nil {
			return nil, err
		}
		b.servers = append(b.servers, s)
		if s.mode == plain {
			cfg.Logger.Warn("passwords cross the network in clear: set ldap_starttls, or use ldaps:// in ldap_address", slog.String("server", s.url))
		}
	}
	if len(b.servers) == 0 {
		return nil, errors.New("ldap_address is empty: set it to the address of the directory, such as ldaps://dc1.example.com")
	}
	return b, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Filter == "" {
		cfg.Filter = DefaultFilter
	}
	if cfg.MaxConcurrent <= 0 {
		cfg.MaxConcurrent = 16
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

func checkBase(dn string) error {
	switch parsed, err := goldap.ParseDN(dn); {
	case err != nil:
		return fmt.Errorf("ldap_base_dn %q is no DN, write one such as dc=example,dc=com: %w", dn, err)
	case len(parsed.RDNs) == 0:
		return errors.New("ldap_base_dn is empty: set it to the DN below which people are, such as dc=example,dc=com")
	}
	return nil
}

// checkService refuses a service account without a password: servers take such a
// bind for an anonymous one and let it pass (RFC 4513, 5.1.2).
func checkService(cfg Config) error {
	if cfg.BindUser != "" && cfg.BindPassword == "" {
		return errors.New("ldap_bind_password is empty: set it (or ldap_bind_password_file), or leave ldap_bind_user empty to search anonymously")
	}
	return nil
}

// checkAttribute takes attribute descriptions (RFC 4512, 2.5) without options.
func checkAttribute(key, name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
	if strings.Trim(name, allowed) != "" {
		return fmt.Errorf("%s %q is no attribute: write its name alone, such as memberOf or uid", key, name)
	}
	return nil
}

func newServer(address string, cfg Config) (*server, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("ldap_address %q is no address of a directory: write ldap://host:port or ldaps://host:port, several with commas between", address)
	}
	s := &server{url: address, port: u.Port()}
	switch strings.ToLower(u.Scheme) {
	case "ldap":
		s.mode = plain
		if cfg.StartTLS {
			s.mode = startTLS
		}
		s.port = orDefault(s.port, goldap.DefaultLdapPort)
	case "ldaps":
		s.mode = overTLS
		s.port = orDefault(s.port, goldap.DefaultLdapsPort)
	default:
		return nil, fmt.Errorf("ldap_address %q starts with neither ldap:// nor ldaps://: write one of the two", address)
	}
	s.host = u.Hostname()
	s.tls = &tls.Config{RootCAs: cfg.RootCAs, ServerName: s.host, MinVersion: tls.VersionTLS12}
	return s, nil
}

func orDefault(value, def string) string {
	if value == "" {
		return def
	}
	return value
}
