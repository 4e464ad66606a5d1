package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
)

// WriteFile writes data to path in one step: whoever reads the file, even after
// a power cut, finds the old content or the new one, whole. The file never has
// more permissions than perm, not even while it is written; on Windows, a file
// whose perm leaves nothing to others gets an access list of its own that does so,
// and any other has that of its folder. Writers of the same path must not run at
// the same time.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return durable.WriteFile(path, data, perm)
}

// WriteKeyFile writes a private key in PEM to path as [WriteFile] does, readable
// by its owner alone.
func WriteKeyFile(path string, keyPEM []byte) error {
	return WriteFile(path, keyPEM, 0o600)
}

func writeKey(path string, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteKeyFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// ReadKeyFile reads a private key in PEM: PKCS #8, SEC 1 or PKCS #1. It refuses a
// file that [CheckKeyFile] refuses. When there is no file the error wraps
// [fs.ErrNotExist].
func ReadKeyFile(path string) (crypto.Signer, error) {
	if err := CheckKeyFile(path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// ParseKey reads the first private key in PEM data: PKCS #8, SEC 1 or PKCS #1.
func ParseKey(data []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("not a PKCS #8 key: %w", err)
			}
			return signer(key)
		case "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("not a SEC 1 key: %w", err)
			}
			return key, nil
		case "RSA PRIVATE KEY":
			key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("not a PKCS #1 key: %w", err)
			}
			return key, nil
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the key is encrypted: store it without a passphrase (openssl pkcs8 -topk8 -nocrypt)")
		}
	}
	return nil, errors.New("no private key in PEM found: write it as PKCS #8 (openssl pkcs8 -topk8 -nocrypt)")
}

func signer(key any) (crypto.Signer, error) { // any: what crypto/x509 returns
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		return k, nil
	case *rsa.PrivateKey:
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errors.New("a key of this kind cannot sign: use RSA, ECDSA or Ed25519")
}

// CheckKeyFile returns an error that wraps [ErrInsecureKey] and says the remedy
// when others than the owner can read or write the file. On Windows, SYSTEM and
// the Administrators may; a file without an access list is everybody's.
func CheckKeyFile(path string) error {
	remedy, err := private.Remedy(path)
	if err != nil {
		return fmt.Errorf("check key file: %w", err)
	}
	if remedy != "" {
		return fmt.Errorf("%s is %w: %s", path, ErrInsecureKey, remedy)
	}
	return nil
}

// ReadCertFile reads the certificates in a PEM file, at least one. When there is
// no file the error wraps [fs.ErrNotExist].
func ReadCertFile(path string) ([]*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	chain, err := ParseCerts(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return chain, nil
}

// ParseCerts reads the certificates in PEM data, at least one.
func ParseCerts(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("not a certificate: %w", err)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate in PEM found")
	}
	return chain, nil
}

// EncodePEM returns the certificates in PEM, in the order given.
func EncodePEM(chain ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, c := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Buffer takes all
	}
	return b.Bytes()
}
