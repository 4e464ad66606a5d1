// Package catest makes throw-away certificate authorities for tests.
package catest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net"
	"testing"

	"github.com/dcvix/dcvix/ca"
)

// New returns a CA that lives in a folder of the test. Inside a synctest bubble
// it follows the bubble's clock.
func New(t testing.TB) *ca.Authority {
	t.Helper()
	a, err := ca.Open(t.TempDir(), ca.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Issue returns a fresh pair for a peer with the given common name and DNS
// names, good as server and as client; addresses are 127.0.0.1 and ::1.
func Issue(t testing.TB, a *ca.Authority, commonName string, dnsNames ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.SignServer(key.Public(), ca.Identity{
		CommonName: commonName,
		DNSNames:   dnsNames,
		IPs:        []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	})
	if err != nil {
		t.Fatal(err)
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range append(chain, a.Certificate()) {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	return pair
}
