package ldap_test

import (
	"crypto/tls"
	"log/slog"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix/auth"
)

var quiet = slog.New(slog.DiscardHandler)

// BenchmarkLogin compares a login with what the library needs for the least that
// a login could be: one bind on a new connection.
func BenchmarkLogin(b *testing.B) {
	s := slapd(b)
	for name, address := range map[string]string{"plain": s.plain, "tls": s.tls} {
		b.Run(name+"/bare-bind", func(b *testing.B) {
			for b.Loop() {
				c, err := goldap.DialURL(address, goldap.DialWithTLSConfig(&tls.Config{RootCAs: s.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}))
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Bind("cn=Alice,ou=people,"+baseDN, alicePass); err != nil {
					b.Fatal(err)
				}
				_ = c.Close()
			}
		})
		cfg := s.config(b)
		cfg.Addresses, cfg.Logger = []string{address}, quiet
		backend := open(b, cfg)
		for kind, c := range map[string]auth.Credentials{
			"login": good, "wrong-password": {User: "alice", Password: "guess"}, "unknown-user": {User: "mallory", Password: "guess"},
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				for b.Loop() {
					if _, err := backend.Authenticate(b.Context(), c); (err == nil) != (kind == "login") {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOwnWork is a login without a network or a directory: both ends of the
// protocol run in this process.
func BenchmarkOwnWork(b *testing.B) {
	f := newFake()
	cfg := fakeConfig(b, "a")
	cfg.Dial, cfg.Logger = f.pipe, quiet
	backend := open(b, cfg)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backend.Authenticate(b.Context(), good); err != nil {
			b.Fatal(err)
		}
	}
}
