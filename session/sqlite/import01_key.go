package sqlite

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// keyOf returns the hash of the agent's public key, or zero when no field has it
// or two fields have different ones.
func keyOf(fields []any, id dcvix.AgentID) session.KeyHash { // any: see interpret
	var found session.KeyHash
	for _, f := range fields {
		spki := publicKey([]byte(text(f)), id)
		if spki == nil {
			continue
		}
		hash := session.KeyHash(sha256.Sum256(spki))
		if found != (session.KeyHash{}) && found != hash {
			return session.KeyHash{}
		}
		found = hash
	}
	return found
}

// publicKey returns the public key (SPKI in DER) of a certificate request, a
// certificate or a bare key in PEM, DER or base64 of DER. It returns nil for all
// else: what names another than the agent, a CA, a request that its key did not
// sign. What a field is, its content says and not its name.
func publicKey(data []byte, id dcvix.AgentID) []byte {
	der := data
	if block, _ := pem.Decode(data); block != nil {
		der = block.Bytes
	} else if decoded, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data))); err == nil {
		der = decoded
	}
	if csr, err := x509.ParseCertificateRequest(der); err == nil {
		if csr.CheckSignature() != nil || !names(csr.Subject.CommonName, id) {
			return nil
		}
		return csr.RawSubjectPublicKeyInfo
	}
	if cert, err := x509.ParseCertificate(der); err == nil {
		if cert.IsCA || !names(cert.Subject.CommonName, id) {
			return nil
		}
		return cert.RawSubjectPublicKeyInfo
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return der
	}
	return nil
}

// names says whether a common name is the agent's, or none.
func names(commonName string, id dcvix.AgentID) bool {
	cn := strings.ToLower(commonName)
	return cn == "" || cn == string(id) || cn == dcvix.AgentCommonName+string(id)
}
