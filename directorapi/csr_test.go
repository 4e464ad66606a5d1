package directorapi_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// asks returns a request for a certificate that wishes for more.
func (h *host) asks(t testing.TB, wish func(*x509.CertificateRequest)) []byte {
	t.Helper()
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: dcvix.AgentCommonName + string(h.guid)}}
	if wish != nil {
		wish(template)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, h.key)
	require.NoError(t, err)
	return der
}

// withKey is the host with another key.
func (h *host) withKey(key crypto.Signer) *host {
	other := *h
	other.key = key
	return &other
}

func ecKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	return key
}

// extension wishes for an extension.
func extension(t testing.TB, id asn1.ObjectIdentifier, value any) func(*x509.CertificateRequest) { // any: as encoding/asn1
	t.Helper()
	der, err := asn1.Marshal(value)
	require.NoError(t, err)
	return func(r *x509.CertificateRequest) {
		r.ExtraExtensions = append(r.ExtraExtensions, pkix.Extension{Id: id, Critical: true, Value: der})
	}
}

// challenged returns a request with a challenge password (RFC 2985, 5.4.1), which
// package x509 does not make.
func (h *host) challenged(t testing.TB) []byte {
	t.Helper()
	plain, err := x509.ParseCertificateRequest(h.asks(t, nil))
	require.NoError(t, err)
	type attribute struct {
		Type   asn1.ObjectIdentifier
		Values []string `asn1:"set"`
	}
	type info struct {
		Version    int
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Attributes []attribute `asn1:"tag:0,set"`
	}
	signed, err := asn1.Marshal(info{
		Subject: asn1.RawValue{FullBytes: plain.RawSubject}, Key: asn1.RawValue{FullBytes: plain.RawSubjectPublicKeyInfo},
		Attributes: []attribute{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 7}, []string{"let me in"}}},
	})
	require.NoError(t, err)
	signature, err := h.key.Sign(rand.Reader, signed, crypto.Hash(0)) // Ed25519, as every host here
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: signed},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 101, 112}},
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
	require.NoError(t, err)
	return der
}

// manyNames wishes for n names of about 25 bytes.
func manyNames(n int) func(*x509.CertificateRequest) {
	return func(r *x509.CertificateRequest) {
		for i := range n {
			r.DNSNames = append(r.DNSNames, fmt.Sprintf("workstation-%07d.lab", i))
		}
	}
}

func TestNoWishInARequestReachesTheCertificate(t *testing.T) {
	s := directorapitest.NewServer(t)
	h := approved(t, s, "ws1")
	plain := h.cert.Leaf
	names := func(dns ...string) func(*x509.CertificateRequest) {
		return func(r *x509.CertificateRequest) { r.DNSNames = dns }
	}
	requests := map[string][]byte{
		"the director's name":      h.asks(t, names("director.lab", dcvix.DirectorCommonName, "localhost")),
		"another agent's name":     h.asks(t, names("ws2")),
		"a wildcard":               h.asks(t, names("*", "*.lab")),
		"a name with a line break": h.asks(t, names("ws1\nws2")),
		"an address":               h.asks(t, func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback} }),
		"a person and a page": h.asks(t, func(r *x509.CertificateRequest) {
			r.EmailAddresses, r.URIs = []string{"root@lab"}, []*url.URL{{Scheme: "https", Host: "director.lab"}}
		}),
		"an organisation":      h.asks(t, func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"system:masters"} }),
		"to be a CA":           h.asks(t, extension(t, asn1.ObjectIdentifier{2, 5, 29, 19}, struct{ CA bool }{true})),
		"to sign certificates": h.asks(t, extension(t, asn1.ObjectIdentifier{2, 5, 29, 15}, asn1.BitString{Bytes: []byte{0x06}, BitLength: 7})),
		"any purpose":          h.asks(t, extension(t, asn1.ObjectIdentifier{2, 5, 29, 37}, []asn1.ObjectIdentifier{{2, 5, 29, 37, 0}})),
		"a challenge password": h.challenged(t),
		"10 kB of names":       h.asks(t, manyNames(400)),
	}
	for name, csr := range requests {
		t.Run(name, func(t *testing.T) {
			r := anybody(s).post(t, dcvix.PathAgentRegister, dcvix.RegisterRequest{CSR: csr, GUID: h.guid, Hostname: h.name})
			require.Equal(t, http.StatusOK, r.status, r.body)
			var answer dcvix.RegisterResponse
			r.json(t, &answer)
			h.keep(t, answer.Certificate)
			sameButForTheSerial(t, plain, h.cert.Leaf)
			r = h.caller().post(t, dcvix.PathAgentRenew, dcvix.RenewRequest{CSR: csr})
			require.Equal(t, http.StatusOK, r.status, r.body)
			var renewed dcvix.RenewResponse
			r.json(t, &renewed)
			h.keep(t, renewed.Certificate)
			sameButForTheSerial(t, plain, h.cert.Leaf)
		})
	}
}

// sameButForTheSerial compares two certificates of one key.
func sameButForTheSerial(t *testing.T, want, got *x509.Certificate) {
	t.Helper()
	assert.Equal(t, want.RawSubject, got.RawSubject)
	assert.Equal(t, []string{"ws1"}, got.DNSNames)
	assert.Equal(t, want.Extensions, got.Extensions, "no name, address, use or right more")
	assert.NotEqual(t, want.SerialNumber, got.SerialNumber)
}

func TestKeysThatAgentsMayHave(t *testing.T) {
	s := directorapitest.NewServer(t)
	for name, tt := range map[string]struct {
		key  crypto.Signer
		want int
	}{
		"Ed25519":       {newKey(t), http.StatusForbidden},
		"ECDSA P-256":   {ecKey(t, elliptic.P256()), http.StatusForbidden},
		"ECDSA P-384":   {ecKey(t, elliptic.P384()), http.StatusForbidden},
		"ECDSA P-521":   {ecKey(t, elliptic.P521()), http.StatusForbidden},
		"RSA 2048":      {rsaKey(t, 2048), http.StatusForbidden},
		"ECDSA P-224":   {ecKey(t, elliptic.P224()), http.StatusBadRequest},
		"RSA 1024":      {rsaKey(t, 1024), http.StatusBadRequest},
		"RSA 2047 bits": {rsaKey(t, 2047), http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			h := (&host{director: s, guid: dcvix.AgentID(uuid.NewString()), name: "ws1"}).withKey(tt.key)
			r := h.register(t)
			assert.Equal(t, tt.want, r.status, r.body)
			if tt.want != http.StatusForbidden {
				assert.Equal(t, saysWeakKey, r.body)
				return
			}
			require.NoError(t, s.AdminClient().Approve(t.Context(), h.guid, dcvix.ApproveRequest{Replace: true}))
			require.Equal(t, http.StatusOK, h.register(t).status)
			assert.Equal(t, http.StatusOK, h.report(t).status, "its certificate is good for TLS")
		})
	}
}
