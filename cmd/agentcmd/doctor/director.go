package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
)

const (
	directorCheck = "director"
	clockCheck    = "clock"
)

// Differences between the clocks of host and director.
const (
	skewWarning = 30 * time.Second
	skewProblem = 5 * time.Minute
)

// checkDirectors asks every director how it is. One that answers is enough.
func (d *doctor) checkDirectors(ctx context.Context) []Finding {
	found := make([]Finding, len(d.Directors))
	skews := make([]*time.Duration, len(d.Directors))
	var all sync.WaitGroup
	for i, host := range d.Directors {
		all.Go(func() { found[i], skews[i] = d.checkDirector(ctx, host) })
	}
	all.Wait()
	if slices.ContainsFunc(found, func(f Finding) bool { return f.Level != Problem }) {
		for i := range found {
			if found[i].Level == Problem {
				found[i].Level = Warning
			}
		}
	}
	for _, skew := range skews {
		if skew != nil {
			return append([]Finding{checkClock(*skew)}, found...)
		}
	}
	return append(skipped(clockCheck, "No director said what time it is."), found...)
}

// checkClock judges how far the director's clock is ahead of ours.
func checkClock(ahead time.Duration) Finding {
	text := fmt.Sprintf("The clock of this host is %s behind the director's.", ahead.Round(time.Second))
	if ahead < 0 {
		text = fmt.Sprintf("The clock of this host is %s ahead of the director's.", (-ahead).Round(time.Second))
	}
	const remedy = "Set the right time on both, and have it kept (chrony, systemd-timesyncd, Windows Time)."
	switch ahead = ahead.Abs(); {
	case ahead > skewProblem:
		return problem(clockCheck, text, remedy)
	case ahead > skewWarning:
		return warning(clockCheck, text, remedy)
	}
	return ok(clockCheck, "It goes with the director's.")
}

// checkDirector asks one director. The skew is nil when it did not say its time.
func (d *doctor) checkDirector(ctx context.Context, host string) (Finding, *time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d.Limit)
	defer cancel()
	address := net.JoinHostPort(host, strconv.Itoa(d.DirectorPort))
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // judge decides below, in words
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began := d.Now()
	got, err := get(ctx, client, "https://"+address+dcvix.PathHealth)
	if err != nil {
		return unreachable(directorCheck, address, err, "director_host and director_port"), nil
	}
	skew := skewOf(got.date, began, d.Now())
	chain := got.chain
	anchor, unverified, wrong := d.trusted(ctx, client, address, chain)
	if wrong == nil && anchor != nil {
		wrong = d.judge(chain, anchor, host)
	}
	if wrong != nil {
		return *wrong, skew
	}
	var health dcvix.Health
	if json.Unmarshal(got.body, &health) != nil || got.status != http.StatusOK || health.Status != "healthy" {
		return problem(directorCheck, fmt.Sprintf("What answers at %s with status %d is no director that is well.", address, got.status),
			"Correct director_host and director_port, or look at the director's log."), skew
	}
	if unverified {
		text := address + " answers, and nothing says yet that it is yours."
		issued := func(c *x509.Certificate) bool { return chain[0].CheckSignatureFrom(c) == nil }
		if at := slices.IndexFunc(chain, issued); at >= 0 {
			text += " It shows the CA " + ca.FingerprintOf(chain[at]).String()
		}
		return warning(directorCheck, text, "Set ca_fingerprint to that of the director's CA before the agent first starts.").By(showCA), skew
	}
	return ok(directorCheck, fmt.Sprintf("%s answers, version %s.", address, health.Version)), skew
}

// trusted returns the CA by which the agent would judge, or that it has none.
func (d *doctor) trusted(ctx context.Context, client *http.Client, address string, chain []*x509.Certificate) (anchor *x509.Certificate, unverified bool, wrong *Finding) {
	pin, err := ca.ParseFingerprint(d.CAFingerprint)
	pinned := err == nil
	switch anchor = d.id.anchor; {
	case anchor != nil && (!pinned || ca.FingerprintOf(anchor) == pin):
		return anchor, false, nil
	case !pinned:
		return nil, true, nil
	}
	offered := chain
	if got, err := get(ctx, client, "https://"+address+dcvix.PathCA); err == nil {
		more, _ := ca.ParseCerts(got.body)
		offered = append(slices.Clone(chain), more...)
	}
	for _, c := range offered {
		if ca.FingerprintOf(c) == pin {
			return c, false, nil
		}
	}
	f := problem(directorCheck, fmt.Sprintf("The director at %s has no CA with the configured ca_fingerprint.", address),
		"Compare the two. If ca_fingerprint is right, somebody is in between.").By(showCA)
	return nil, false, &f
}

// judge says what is wrong with a director's certificate, as the agent would.
func (d *doctor) judge(chain []*x509.Certificate, anchor *x509.Certificate, host string) *Finding {
	roots := x509.NewCertPool()
	roots.AddCert(anchor)
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), DNSName: host, CurrentTime: d.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	var f Finding
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		f = problem(directorCheck, fmt.Sprintf("The certificate of %s was not issued by the CA in %s, %s.", host, d.file(agentclient.CAFile), ca.FingerprintOf(anchor)),
			"If the director has a new CA on purpose, remove that file, restart the agent, and run setup-dcv when it is approved. If not, somebody is in between.").By(showCA)
	case errors.As(err, &name):
		f = problem(directorCheck, fmt.Sprintf("The certificate of the director does not name %s. It names %s.", host, namesOf(chain[0])),
			"Write one of these as director_host, or add this one to server_names of the director.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f = problem(directorCheck, fmt.Sprintf("The certificate of the director is good from %s to %s, and by the clock of this host it is %s.",
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), day(d.Now())), "Correct the clock that is wrong. If none is, look at the director's log: it renews by itself.")
	default:
		f = problem(directorCheck, fmt.Sprintf("The certificate of the director is not good: %v.", err), "Look at the director's CA and at its log.").By(showCA)
	}
	return &f
}

func namesOf(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ", ")
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// maxBody bounds an answer, in bytes.
const maxBody = 64 << 10

// A reply is what an answer over TLS says, and who gave it.
type reply struct {
	status int
	date   string
	body   []byte
	chain  []*x509.Certificate
}

func get(ctx context.Context, client *http.Client, address string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return reply{}, err
	}
	return do(client, req)
}

func do(client *http.Client, req *http.Request) (reply, error) {
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as it is wanted
	r := reply{status: resp.StatusCode, date: resp.Header.Get("Date")}
	if resp.TLS != nil {
		r.chain = resp.TLS.PeerCertificates
	}
	r.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return r, err
}

// skewOf returns how far the clock of who answered is ahead of ours. The header
// counts whole seconds (RFC 9110 section 6.6.1).
func skewOf(header string, began, ended time.Time) *time.Duration {
	date, err := http.ParseTime(header)
	if err != nil {
		return nil
	}
	skew := date.Add(500 * time.Millisecond).Sub(began.Add(ended.Sub(began) / 2))
	return &skew
}

// unreachable puts into words why a call did not come about.
func unreachable(check, address string, err error, keys string) Finding {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	correct := "Correct " + keys + "."
	switch {
	case errors.As(err, &dns):
		return problem(check, fmt.Sprintf("The name %s does not resolve.", dns.Name), correct+" If it is right, mend the name service of this host.")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return problem(check, address+" does not answer in time.", "Open the port in the firewalls between, or start what is to answer. "+correct)
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return problem(check, "What listens at "+address+" does not speak TLS.", correct)
	case errors.As(err, &alert):
		return problem(check, fmt.Sprintf("%s ends the TLS handshake: %v.", address, alert), correct)
	case errors.As(err, &op):
		return problem(check, fmt.Sprintf("%s cannot be reached: %v.", address, op.Err), "Start what is to listen there, or open the way. "+correct)
	default:
		if call := (*url.Error)(nil); errors.As(err, &call) {
			err = call.Err
		}
		return problem(check, fmt.Sprintf("%s cannot be asked: %v.", address, err), correct)
	}
}
