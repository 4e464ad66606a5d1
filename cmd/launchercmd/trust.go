package launchercmd

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// Trust says what proves that a director is the one that is meant.
type Trust string

// The kinds of Trust. The configuration decides all but the first two.
const (
	TrustSystem      Trust = "system"      // a CA that the system knows
	TrustPerson      Trust = "person"      // a CA that the person trusts, see [Engine.Trust], or one that the system knows
	TrustFile        Trust = "file"        // ca-file
	TrustFingerprint Trust = "fingerprint" // ca-fingerprint
	TrustNobody      Trust = "nobody"      // accept-untrusted-cert: passwords can be read on the way
)

// An Introduction is what a director that nobody here vouches for says of itself. It
// proves nothing until the person has compared Fingerprint with the one that the
// director shows to its admin.
type Introduction struct {
	URL         string
	Fingerprint string    // of its CA, as [client.Fingerprint] writes it
	Name        string    // that the CA calls itself by
	Until       time.Time // end of the CA's certificate
	Changed     bool      // the person has trusted another CA of this director: perhaps it is not the same one
}

// Introduce asks the director for its CA, over a connection on which nothing else is
// sent. The error says why that CA would not help: it is not sent, or the
// director's certificate is not for this address, has expired or is of another CA.
func (e *Engine) Introduce(ctx context.Context) (Introduction, error) {
	ca, err := e.presented(ctx)
	if err != nil {
		return Introduction{}, err
	}
	base := e.URL()
	known := parseCertificate(e.memory.known(base).CA)
	return Introduction{
		URL: base, Fingerprint: client.Fingerprint(ca), Name: dcvix.OneLine(ca.Subject.CommonName, 100),
		Until: ca.NotAfter, Changed: known != nil && !known.Equal(ca),
	}, nil
}

// Trust trusts the CA with the fingerprint that the person has confirmed, in the
// form of [Introduction] or any that [client.CheckFingerprint] takes, provided that
// the director presents it and is vouched for by it, and remembers it. The login, if
// there was one, is gone. When the CA cannot be written to disk it is trusted until
// the launcher ends, and the error says so.
func (e *Engine) Trust(ctx context.Context, fingerprint string) error {
	if err := client.CheckFingerprint(fingerprint); err != nil {
		return err
	}
	ca, err := e.presented(ctx)
	if err != nil {
		return err
	}
	bare := strings.NewReplacer(":", "", " ", "")
	if !strings.EqualFold(bare.Replace(fingerprint), bare.Replace(client.Fingerprint(ca))) {
		return &saidError{text: e.words().Say(words.OtherCA, client.Fingerprint(ca))}
	}
	director, err := e.client(e.cfg.Director.URL, ca)
	if err != nil {
		return err
	}
	if _, err := director.Health(ctx); err != nil {
		director.Close()
		return err
	}
	e.use(director, TrustPerson)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
	return e.memory.change(func(r *remembered) { r.of(director.URL()).CA = text })
}

// Trusted says what proves who the director is.
func (e *Engine) Trusted() Trust {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.trust
}

// client returns a client of a director that is vouched for as the configuration
// says or, when that is silent, by a CA of the system or by ca, which may be nil.
func (e *Engine) client(broker string, ca *x509.Certificate) (*client.Client, error) {
	conf := e.cfg.Director
	conf.URL = broker
	if ca != nil {
		conf.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if e.cfg.Director.TLS != nil {
			conf.TLS = e.cfg.Director.TLS.Clone()
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		roots.AddCert(ca)
		conf.TLS.RootCAs = roots
	}
	return client.New(conf)
}

// presented returns the CA that the director presents and that vouches for it: from
// the handshake, else by asking.
func (e *Engine) presented(ctx context.Context) (*x509.Certificate, error) {
	w := e.words()
	if e.cfg.Trust != TrustSystem || e.cfg.Director.Transport != nil {
		return nil, &saidError{text: w.Say(words.TrustSet)}
	}
	base, err := url.Parse(e.URL())
	if err != nil || base.Host == "" {
		return nil, &saidError{text: w.Say(words.NoBroker)}
	}
	var mu sync.Mutex // guards chain: a client may dial twice
	var chain []*x509.Certificate
	conf := client.Config{URL: e.URL(), Proxy: e.cfg.Director.Proxy, Timeout: e.cfg.Director.Timeout}
	conf.TLS = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // all that is taken from it is shown to the person, or verified by what the person confirmed
		VerifyConnection: func(state tls.ConnectionState) error {
			mu.Lock()
			defer mu.Unlock()
			chain = state.PeerCertificates
			return nil
		},
	}
	asking, err := client.New(conf)
	if err != nil {
		return nil, err
	}
	defer asking.Close()
	text, err := asking.CA(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	return e.vouching(chain, parseCertificate(text), base.Hostname())
}

// vouching picks the CA that proves that the chain is of a host. asked may be nil.
func (e *Engine) vouching(chain []*x509.Certificate, asked *x509.Certificate, host string) (*x509.Certificate, error) {
	w := e.words()
	candidates := slices.Clone(chain)
	slices.Reverse(candidates) // the root is the last, if it is sent
	if asked != nil {
		candidates = append(candidates, asked)
	}
	var why error
	for _, ca := range candidates {
		if !ca.IsCA {
			continue
		}
		opts := x509.VerifyOptions{DNSName: host, Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
		opts.Roots.AddCert(ca)
		for _, cert := range chain {
			opts.Intermediates.AddCert(cert)
		}
		if conf := e.cfg.Director.TLS; conf != nil && conf.Time != nil {
			opts.CurrentTime = conf.Time()
		}
		_, err := chain[0].Verify(opts)
		if err == nil {
			return ca, nil
		}
		why = cmp.Or(why, err)
	}
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case why == nil:
		return nil, &saidError{text: w.Say(words.NoCA)}
	case errors.As(why, &name):
		names := dcvix.OneLine(strings.Join(append(slices.Clone(chain[0].DNSNames), addresses(chain[0])...), ", "), 300)
		return nil, &saidError{w.Say(words.OtherName, host, names), why}
	case errors.As(why, &invalid) && invalid.Reason == x509.Expired:
		return nil, &saidError{w.Say(words.Expired), why}
	}
	return nil, &saidError{w.Say(words.NotVouched), why}
}

func addresses(cert *x509.Certificate) []string {
	all := make([]string, len(cert.IPAddresses))
	for i, ip := range cert.IPAddresses {
		all[i] = ip.String()
	}
	return all
}

// parseCertificate returns the first certificate in PEM, nil when there is none.
func parseCertificate(text string) *x509.Certificate {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return cert
}
