package directorapi

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
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

// certEnds remembers until when the certificate lasts that each agent showed, of
// several the one that lasts longest. The zero value is empty and ready to use.
type certEnds struct {
	mu  sync.Mutex
	all map[dcvix.AgentID]time.Time
}

// note takes in that a registered agent showed a certificate.
func (c *certEnds) note(p peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = make(map[dcvix.AgentID]time.Time)
	}
	if p.expires.After(c.all[p.id]) {
		c.all[p.id] = p.expires
	}
}

// before returns those that end before a time.
func (c *certEnds) before(limit time.Time) map[dcvix.AgentID]time.Time {
	soon := make(map[dcvix.AgentID]time.Time)
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, end := range c.all {
		if end.Before(limit) {
			soon[id] = end
		}
	}
	return soon
}

func (c *certEnds) forget(id dcvix.AgentID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, id)
}
