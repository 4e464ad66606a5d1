package ca_test

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // a kind of key that must be refused
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

var agentID = ca.Identity{CommonName: "dcvix-agent-1", DNSNames: []string{"ws1.lab"}}

func csrDER(t testing.TB, key crypto.Signer, names ...string) []byte {
	t.Helper()
	der, err := ca.NewCSR(key, ca.Identity{CommonName: agentID.CommonName, DNSNames: names, IPs: []net.IP{net.IPv4(10, 0, 0, 1)}})
	require.NoError(t, err)
	return der
}

func csrOf(t testing.TB, key crypto.Signer, names ...string) *ca.CSR {
	t.Helper()
	csr, err := ca.ParseCSR(csrDER(t, key, names...))
	require.NoError(t, err)
	return csr
}

func TestParseCSRTakesNothingWhoseSignatureDoesNotVerify(t *testing.T) {
	der := csrDER(t, newEC(t, elliptic.P256()))
	for bit := range len(der) * 8 {
		flipped := append([]byte(nil), der...)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, err := ca.ParseCSR(flipped)
		require.Error(t, err, "bit %d", bit)
	}
	_, err := ca.ParseCSR(append(der, 0))
	require.ErrorIs(t, err, ca.ErrBadCSR, "something after it")
	_, err = ca.ParseCSR(nil)
	assert.ErrorIs(t, err, ca.ErrBadCSR)
}

func TestKeysThatCertificatesAreGivenFor(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	tests := map[string]struct {
		key crypto.Signer
		ok  bool
	}{
		"Ed25519":  {edKey, true},
		"P-256":    {newEC(t, elliptic.P256()), true},
		"P-384":    {newEC(t, elliptic.P384()), true},
		"P-521":    {newEC(t, elliptic.P521()), true},
		"P-224":    {newEC(t, elliptic.P224()), false},
		"RSA 2048": {newRSA(t, 2048), true},
		"RSA 1024": {newRSA(t, 1024), false},
	}
	a := catest.New(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ca.ParseCSR(csrDER(t, tt.key))
			if !tt.ok {
				require.ErrorIs(t, err, ca.ErrWeakKey)
				return
			}
			require.NoError(t, err)
			chain, err := a.SignAgent(csrOf(t, tt.key), agentID)
			require.NoError(t, err)
			verify(t, a, chain, "ws1.lab")
		})
	}
	_, err = ca.KeyFingerprint(&dsa.PublicKey{})
	assert.Error(t, err)
}

func TestSignAgentTakesOnlyTheKeyFromTheRequest(t *testing.T) {
	key := newEC(t, elliptic.P256())
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:  pkix.Name{CommonName: agentID.CommonName, Organization: []string{"Evil"}, Country: []string{"XX"}},
		DNSNames: []string{"director.lab", "*.lab"}, EmailAddresses: []string{"root@lab"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
		ExtraExtensions: []pkix.Extension{{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}, // CA:TRUE
	}, key)
	require.NoError(t, err)
	csr, err := ca.ParseCSR(der)
	require.NoError(t, err)
	a := catest.New(t)

	chain, err := a.SignAgent(csr, agentID)

	require.NoError(t, err)
	require.Len(t, chain, 1)
	cert := chain[0]
	assert.Equal(t, "CN=dcvix-agent-1", cert.Subject.String())
	assert.Equal(t, []string{"ws1.lab"}, cert.DNSNames)
	assert.Empty(t, cert.IPAddresses)
	assert.Empty(t, cert.EmailAddresses)
	assert.False(t, cert.IsCA)
	assert.True(t, cert.BasicConstraintsValid)
	assert.Equal(t, x509.KeyUsageDigitalSignature, cert.KeyUsage)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, cert.ExtKeyUsage)
	assert.True(t, key.PublicKey.Equal(cert.PublicKey))
	assert.WithinDuration(t, time.Now().Add(ca.AgentLifetime), cert.NotAfter, time.Minute)
	assert.WithinDuration(t, time.Now().Add(-time.Hour), cert.NotBefore, time.Minute, "for clocks that are behind")
}

func TestSignAgentRefusesAnotherName(t *testing.T) {
	a := catest.New(t)
	csr := csrOf(t, newEC(t, elliptic.P256()))
	_, err := a.SignAgent(csr, ca.Identity{CommonName: "dcvix-agent-2"})
	require.ErrorIs(t, err, ca.ErrNameMismatch)
}

func TestSerialNumbersAre128RandomBits(t *testing.T) {
	a := catest.New(t)
	csr := csrOf(t, newEC(t, elliptic.P256()))
	var ones, zeros [128]bool
	for range 100 { // a bit that is random is the same in all with a chance of 2^-99
		chain, err := a.SignAgent(csr, agentID)
		require.NoError(t, err)
		serial := chain[0].SerialNumber
		require.Equal(t, 1, serial.Sign(), "RFC 5280 asks for a positive one")
		require.LessOrEqual(t, serial.BitLen(), 128)
		for bit := range 128 {
			ones[bit] = ones[bit] || serial.Bit(bit) == 1
			zeros[bit] = zeros[bit] || serial.Bit(bit) == 0
		}
	}
	for bit := range 128 {
		assert.True(t, ones[bit] && zeros[bit], "bit %d is random", bit)
	}
}

func TestTheLifeOfACertificate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a, err := ca.Open(t.TempDir(), ca.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	assert.Equal(t, now.Add(-time.Hour), a.Certificate().NotBefore)
	agent, err := a.SignAgent(csrOf(t, newEC(t, elliptic.P256())), agentID)
	require.NoError(t, err)
	assert.Equal(t, now.Add(-time.Hour), agent[0].NotBefore)
	assert.Equal(t, now.Add(14*24*time.Hour), agent[0].NotAfter)
	assert.Equal(t, x509.ECDSAWithSHA256, agent[0].SignatureAlgorithm, "of a P-256 CA")
	server, err := a.SignServer(newEC(t, elliptic.P256()).Public(), ca.Identity{CommonName: "dcvix-director", DNSNames: []string{"director.lab"}})
	require.NoError(t, err)

	tests := map[string]struct {
		clock time.Duration // of who looks at it, against the director's
		good  bool
	}{
		"a clock that is right":                   {0, true},
		"a clock ten minutes behind":              {-10 * time.Minute, true},
		"a clock ten minutes ahead":               {10 * time.Minute, true},
		"a clock an hour behind":                  {-time.Hour, true},
		"a clock more than that behind":           {-time.Hour - time.Second, false},
		"the last day":                            {14*24*time.Hour - time.Second, true},
		"the last day, by a clock ten minutes on": {14*24*time.Hour + 10*time.Minute, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			look := x509.VerifyOptions{Roots: a.Pool(), CurrentTime: now.Add(tt.clock), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
			_, err := agent[0].Verify(look)
			assert.Equal(t, tt.good, err == nil, err)
			if tt.clock < 24*time.Hour {
				_, err = server[0].Verify(look)
				assert.Equal(t, tt.good, err == nil, err)
			}
		})
	}
}

func TestNoCertificateOutlivesItsCA(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	place(t, dir, newEC(t, elliptic.P256()), template(now, now.Add(3*time.Hour), nil))
	clock := now
	a, err := ca.Open(dir, ca.Config{Now: func() time.Time { return clock }})
	require.NoError(t, err)
	csr := csrOf(t, newEC(t, elliptic.P256()))

	chain, err := a.SignAgent(csr, agentID)
	require.NoError(t, err)
	assert.Equal(t, a.Certificate().NotAfter, chain[0].NotAfter)
	chain, err = a.SignServer(newEC(t, elliptic.P256()).Public(), director())
	require.NoError(t, err)
	assert.Equal(t, a.Certificate().NotAfter, chain[0].NotAfter, "nor does the director's own")

	clock = now.Add(4 * time.Hour)
	_, err = a.SignAgent(csr, agentID)
	require.ErrorIs(t, err, ca.ErrExpired)
	assert.ErrorContains(t, err, "place a renewed one")
}

func TestShouldRenew(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	tests := map[string]struct {
		life, age time.Duration
		want      bool
	}{
		"fresh":                                 {14 * day, 0, false},
		"a second short of a day":               {14 * day, day - time.Second, false},
		"a day old":                             {14 * day, day, true},
		"expired":                               {14 * day, 15 * day, true},
		"short-lived, before half its life":     {2 * time.Hour, time.Hour - time.Second, false},
		"short-lived, at half its life":         {2 * time.Hour, time.Hour, true},
		"exactly two days, the rules agree":     {2 * day, day, true},
		"not good yet, for a clock that is off": {14 * day, -time.Hour, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cert := &x509.Certificate{NotBefore: start, NotAfter: start.Add(tt.life)}
			assert.Equal(t, tt.want, ca.ShouldRenew(start.Add(tt.age), cert))
		})
	}
}

func TestAPairOfTheTestCAIsGoodForBothSides(t *testing.T) {
	a := catest.New(t)
	pair := catest.Issue(t, a, "dcvix-director", "localhost")
	verify(t, a, []*x509.Certificate{pair.Leaf}, "localhost")
	assert.NoError(t, pair.Leaf.VerifyHostname("127.0.0.1"))
	assert.Len(t, pair.Certificate, 2, "leaf and CA, as the director sends them")
}

func BenchmarkSignAgent(b *testing.B) {
	a := catest.New(b)
	csr := csrOf(b, newEC(b, elliptic.P256()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.SignAgent(csr, agentID); err != nil {
			b.Fatal(err)
		}
	}
}
