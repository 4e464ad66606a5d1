package launchercmd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A maker makes certificates of a CA of its own.
type maker struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMaker(t *testing.T, name string) *maker {
	t.Helper()
	m := &maker{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	m.cert, m.key = m.make(template, template, nil)
	return m
}

// make signs with signer, which is nil for a certificate that signs itself.
func (m *maker) make(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	m.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(m.t, err)
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(m.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(m.t, err)
	return cert, key
}

// leaf makes a certificate for a server at an address.
func (m *maker) leaf(address string, until time.Time) (tls.Certificate, *x509.Certificate) {
	m.t.Helper()
	cert, key := m.make(&x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: until.Add(-24 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.ParseIP(address)}, DNSNames: []string{"elsewhere.example"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, m.cert, m.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}, cert
}

func (m *maker) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw}))
}

// meet starts a director with a certificate, which answers asked for its CA, and a
// launcher that knows nothing about it.
func meet(t *testing.T, pair tls.Certificate, asked string) *launchercmd.Engine {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == dcvix.PathHealth:
			answer(dcvix.Health{Status: "healthy"})(w, r)
		case r.URL.Path == dcvix.PathCA && asked != "":
			w.Header().Set("Content-Type", "application/x-pem-file")
			_, _ = io.WriteString(w, asked)
		default:
			page(w, r)
		}
		assert.Empty(t, r.Header.Get("Cookie"))
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	e, err := launchercmd.NewEngine(launchercmd.EngineConfig{
		Director: client.Config{URL: server.URL}, Home: t.TempDir(), Folder: filepath.Join(t.TempDir(), "folder"),
	})
	require.NoError(t, err)
	t.Cleanup(e.End)
	return e
}

func TestACAThatTheHandshakeLacksIsAskedFor(t *testing.T) {
	m := newMaker(t, "lab \x1b[2JCA")
	pair, _ := m.leaf("127.0.0.1", time.Now().Add(time.Hour))
	e := meet(t, pair, m.pem())
	met, err := e.Introduce(t.Context())
	require.NoError(t, err)
	assert.Equal(t, client.Fingerprint(m.cert), met.Fingerprint)
	assert.Equal(t, "lab [2JCA", met.Name)
	require.NoError(t, e.Trust(t.Context(), met.Fingerprint))
	_, err = e.Reach(t.Context())
	require.NoError(t, err)
}

func TestACAThatDoesNotVouchForTheDirectorIsNotOffered(t *testing.T) {
	m, other := newMaker(t, "CA"), newMaker(t, "CA")
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	sent := func(pair tls.Certificate, ca *maker) tls.Certificate {
		pair.Certificate = append(pair.Certificate, ca.cert.Raw)
		return pair
	}
	good, _ := m.leaf("127.0.0.1", soon)
	misnamed, _ := m.leaf("192.0.2.7", soon)
	expired, _ := m.leaf("127.0.0.1", past)
	alone, key := m.make(&x509.Certificate{SerialNumber: big.NewInt(3), NotAfter: soon, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}, m.cert, m.key)
	for name, tt := range map[string]struct {
		pair  tls.Certificate
		asked string
		says  string
	}{
		"another name":                {sent(misnamed, m), "", "the director's certificate is not for the name 127.0.0.1: use one that it is for (elsewhere.example, 192.0.2.7)"},
		"an end in the past":          {sent(expired, m), "", "has expired or is not valid yet"},
		"no CA at all":                {good, "", "does not send the CA of its certificate"},
		"no certificate":              {good, "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", "does not send the CA"},
		"a leaf for a CA":             {tls.Certificate{Certificate: [][]byte{alone.Raw}, PrivateKey: key}, "", "does not send the CA"},
		"another CA":                  {sent(good, other), "", "is not the one of its certificate"},
		"another CA when it is asked": {good, other.pem(), "is not the one of its certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			e := meet(t, tt.pair, tt.asked)
			_, err := e.Introduce(t.Context())
			require.ErrorContains(t, err, tt.says)
			for _, ca := range []*maker{m, other} {
				require.Error(t, e.Trust(t.Context(), client.Fingerprint(ca.cert)))
			}
			assert.Equal(t, launchercmd.TrustSystem, e.Trusted())
			_, err = e.Reach(t.Context())
			assert.Equal(t, launchercmd.TroubleUntrusted, e.Explain(err).Trouble)
		})
	}
}
