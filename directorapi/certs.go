package directorapi

import (
	"crypto/sha256"
	"crypto/x509"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// maxCerts bounds the memory of verified certificates, a few hundred bytes each.
const maxCerts = 20_000

// A certCache verifies agents' certificates and remembers those that were good,
// so that a kept-alive connection costs no signature check a request. Only the
// chain and the dates are remembered: whether the agent is still registered is
// asked each time.
type certCache struct {
	pool *x509.CertPool
	now  func() time.Time

	mu   sync.RWMutex
	good map[[sha256.Size]byte]peer
}

// A peer is who a verified certificate names.
type peer struct {
	id      dcvix.AgentID
	key     session.KeyHash
	expires time.Time
}

func newCertCache(authority *ca.Authority, now func() time.Time) *certCache {
	return &certCache{pool: authority.Pool(), now: now, good: make(map[[sha256.Size]byte]peer)}
}

func (c *certCache) verify(chain []*x509.Certificate) (peer, error) {
	leaf := chain[0]
	key := sha256.Sum256(leaf.Raw)
	now := c.now()
	c.mu.RLock()
	p, ok := c.good[key]
	c.mu.RUnlock()
	if ok && now.Before(p.expires) {
		return p, nil
	}
	intermediates := x509.NewCertPool()
	for _, above := range chain[1:] {
		intermediates.AddCert(above)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: c.pool, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return peer{}, err
	}
	guid, ok := strings.CutPrefix(leaf.Subject.CommonName, dcvix.AgentCommonName)
	if !ok || dcvix.AgentID(guid).Validate() != nil {
		return peer{}, errNotAnAgent
	}
	p = peer{id: dcvix.AgentID(guid), key: sha256.Sum256(leaf.RawSubjectPublicKeyInfo), expires: leaf.NotAfter}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.good) >= maxCerts {
		clear(c.good)
	}
	c.good[key] = p
	return p, nil
}

// ends returns when the certificate ends that each agent showed, of several the one
// that lasts longest, as far as it is before a time.
func (c *certCache) ends(before time.Time) map[dcvix.AgentID]time.Time {
	ends := make(map[dcvix.AgentID]time.Time)
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, p := range c.good {
		if p.expires.After(ends[p.id]) {
			ends[p.id] = p.expires
		}
	}
	maps.DeleteFunc(ends, func(_ dcvix.AgentID, end time.Time) bool { return !end.Before(before) })
	return ends
}
