package main

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/examples/examplestest"
)

func TestMain(m *testing.M) { examplestest.Main(m, main) }

// request returns a request in PEM whose names are wishes.
func request(t *testing.T) string {
	t.Helper()
	key, err := ca.OpenKey(filepath.Join(t.TempDir(), "web.key"))
	require.NoError(t, err)
	der, err := ca.NewCSR(key, ca.Identity{CommonName: dcvix.DirectorCommonName, DNSNames: []string{"director.example"}})
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func TestSignsForTheNamesGivenAndNoOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	var out, notes bytes.Buffer
	require.NoError(t, sign(dir, []string{"web.example", "web"}, strings.NewReader(request(t)), &out, &notes))

	chain, err := ca.ParseCerts(out.Bytes())
	require.NoError(t, err)
	authority, err := ca.Open(dir, ca.Config{})
	require.NoError(t, err)
	for name, good := range map[string]bool{"web.example": true, "web": true, "director.example": false} {
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: authority.Pool(), DNSName: name})
		assert.Equal(t, good, err == nil, name)
	}
	assert.Equal(t, "web.example", chain[0].Subject.CommonName)
	assert.Contains(t, notes.String(), ca.FingerprintOf(authority.Certificate()).String())
	assert.Contains(t, notes.String(), ca.FingerprintOf(chain[0]).String())
}

func TestOpenSSLAgrees(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is missing: install it")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	key, csr, cert := filepath.Join(dir, "k"), filepath.Join(dir, "r"), filepath.Join(dir, "c")
	text, err := exec.CommandContext(t.Context(), openssl, "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
		"-nodes", "-keyout", key, "-subj", "/CN=anybody", "-out", csr).CombinedOutput()
	require.NoError(t, err, "%s", text)
	in, err := os.Open(csr)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	out, err := os.Create(cert)
	require.NoError(t, err)
	defer func() { _ = out.Close() }()
	var notes bytes.Buffer
	require.NoError(t, sign(dir, []string{"web.example"}, in, out, &notes))

	text, err = exec.CommandContext(t.Context(), openssl, "verify", "-CAfile", filepath.Join(dir, ca.CertFile), "-verify_hostname", "web.example", cert).CombinedOutput()
	require.NoError(t, err, "%s", text)
	text, err = exec.CommandContext(t.Context(), openssl, "x509", "-in", cert, "-noout", "-fingerprint", "-sha256").CombinedOutput()
	require.NoError(t, err, "%s", text)
	_, fingerprint, _ := strings.Cut(strings.TrimSpace(string(text)), "=")
	assert.Contains(t, notes.String(), fingerprint)
}

func TestRefusesWithASentence(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no names":   {args: nil, want: "casign: whom is it for? give the names as arguments\n"},
		"no request": {args: []string{"-dir", "nowhere", "web"}, want: "casign: no certificate request in PEM on standard input\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := examplestest.Start(t, nil, tt.args...)
			assert.Equal(t, 1, p.Wait())
			assert.Equal(t, tt.want, p.Output())
		})
	}
}
