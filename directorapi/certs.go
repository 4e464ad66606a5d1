package directorapi

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// A peer is who a verified certificate of an agent names. Whether the agent is still
// registered is to be asked each time.
type peer struct {
	id      dcvix.AgentID
	key     session.KeyHash
	expires time.Time
}

var errNotAnAgent = errors.New("the certificate is not of an agent")

// verifyAgent returns who a chain of certificates is of, if the authority signed it.
func verifyAgent(authority *ca.Authority, chain []*x509.Certificate, now time.Time) (peer, error) {
	leaf := chain[0]
	intermediates := x509.NewCertPool()
	for _, above := range chain[1:] {
		intermediates.AddCert(above)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: authority.Pool(), Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return peer{}, err
	}
	guid, ok := strings.CutPrefix(leaf.Subject.CommonName, dcvix.AgentCommonName)
	if !ok || dcvix.AgentID(guid).Validate() != nil {
		return peer{}, errNotAnAgent
	}
	return peer{id: dcvix.AgentID(strings.Clone(guid)), key: sha256.Sum256(leaf.RawSubjectPublicKeyInfo), expires: leaf.NotAfter}, nil
}
