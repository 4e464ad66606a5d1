package standalone

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"sync"
)

// maxAsked bounds what strangers can have us remember and log.
const maxAsked = 100

// asked are the names that clients asked for and that the director's certificate
// lacks. Agents and launchers refuse it then; here is where an admin can help.
type asked struct {
	logger *slog.Logger

	mu    sync.Mutex
	names map[string]bool
}

type certificateOf = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

// watch logs each such name once. A client that dials an address asks for none.
func (a *asked) watch(certificate certificateOf) certificateOf {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := certificate(hello)
		if err == nil && hello != nil && hello.ServerName != "" {
			a.note(hello.ServerName, pair)
		}
		return pair, err
	}
}

func (a *asked) note(name string, pair *tls.Certificate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.names[name] || len(a.names) >= maxAsked {
		return
	}
	leaf, err := leafOf(pair)
	if err != nil || leaf.VerifyHostname(name) == nil {
		return
	}
	if a.names == nil {
		a.names = make(map[string]bool)
	}
	a.names[name] = true
	a.logger.Warn("a client asks for a name that the director's certificate lacks: add it to server_names if it is this director's",
		slog.String("name", name))
}

func leafOf(pair *tls.Certificate) (*x509.Certificate, error) {
	if pair.Leaf != nil {
		return pair.Leaf, nil
	}
	return x509.ParseCertificate(pair.Certificate[0])
}
