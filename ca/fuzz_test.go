package ca_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

func FuzzParseCSR(f *testing.F) {
	f.Add(csrDER(f, newEC(f, elliptic.P256()), "ws1"))
	f.Add(csrDER(f, newRSA(f, 2048)))
	f.Add(csrDER(f, newEC(f, elliptic.P224())))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		csr, err := ca.ParseCSR(der)
		if err != nil {
			require.True(t, errors.Is(err, ca.ErrBadCSR) || errors.Is(err, ca.ErrWeakKey), err)
			return
		}
		again, err := x509.ParseCertificateRequest(der)
		require.NoError(t, err)
		require.NoError(t, again.CheckSignature())
		require.Equal(t, again.PublicKey, csr.PublicKey())
	})
}

func FuzzParseKey(f *testing.F) {
	ec, err := x509.MarshalECPrivateKey(newEC(f, elliptic.P256()))
	require.NoError(f, err)
	for kind, der := range map[string][]byte{
		"EC PRIVATE KEY": ec, "RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(newRSA(f, 2048)), "PRIVATE KEY": {0x30, 0}, "ENCRYPTED PRIVATE KEY": {1},
	} {
		f.Add(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	f.Add([]byte("-----BEGIN"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ca.ParseKey(data)
		require.Equal(t, err == nil, key != nil)
		if err == nil {
			require.NotNil(t, key.Public())
		}
	})
}

func FuzzParseCerts(f *testing.F) {
	a := catest.New(f)
	f.Add(a.PEM())
	f.Add(append([]byte("a comment\n"), append(a.PEM(), a.PEM()...)...))
	f.Add(a.PEM()[:100])
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		chain, err := ca.ParseCerts(data)
		require.Equal(t, err == nil, len(chain) > 0)
		if err != nil {
			return
		}
		again, err := ca.ParseCerts(ca.EncodePEM(chain...))
		require.NoError(t, err)
		require.Len(t, again, len(chain))
		for i := range chain {
			require.True(t, bytes.Equal(chain[i].Raw, again[i].Raw))
		}
	})
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add(ca.Fingerprint{1, 0xff}.String())
	f.Add("")
	f.Add("::::")
	f.Fuzz(func(t *testing.T, text string) {
		read, err := ca.ParseFingerprint(text)
		if err != nil {
			require.Less(t, len(err.Error()), 1000, "a long input makes no long message")
			return
		}
		again, err := ca.ParseFingerprint(read.String())
		require.NoError(t, err)
		require.Equal(t, read, again)
	})
}
