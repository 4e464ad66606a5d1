package directorcmd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/control"
	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
	"github.com/dcvix/dcvix/directorapi/client"
)

// silence is after which an agent that reports each half minute is one that does
// not.
const silence = 5 * time.Minute

// checkLife looks at a director that runs, or whether one could.
func (d *doctor) checkLife(ctx context.Context) []diagnosis.Finding {
	const check = "director"
	ctx, cancel := context.WithTimeout(ctx, 3*d.limit)
	defer cancel()
	conn, err := control.Dial(ctx, d.dataDir)
	switch {
	case errors.Is(err, control.ErrNobody):
		return append(one(diagnosis.Trouble(check, "It does not run.", "Start it. If it ends again, its log says why.").By(startIt)), d.checkPort(ctx)...)
	case err != nil:
		return one(diagnosis.Trouble(check, err.Error()+".", "Run this as the director's user or as root."))
	}
	_ = conn.Close() // it only showed that somebody is there
	found := one(diagnosis.Well(check, "It runs."))
	found = append(found, d.checkVerifier(ctx)...)
	return append(found, d.checkAgents(ctx)...)
}

// checkPort says whether the port is free for a director that does not run.
func (d *doctor) checkPort(ctx context.Context) []diagnosis.Finding {
	const check = "port"
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", d.address())
	if err != nil {
		return one(diagnosis.Trouble(check, err.Error()+".", "Stop the program that has it (ss -ltnp), or change director_host or director_port; with dcvix-director.socket it is systemd that listens."))
	}
	_ = l.Close() // it was only tried
	return one(diagnosis.Well(check, d.address()+" is free."))
}

// checkVerifier asks whether tokens are good, as a DCV server does: under each name,
// with the director's CA, and with a token that is none (Amazon DCV Administrator
// Guide, "Using external authentication").
func (d *doctor) checkVerifier(ctx context.Context) []diagnosis.Finding {
	const check = "verifier"
	chain, err := ca.ReadCertFile(d.inData(ca.CertFile))
	if err != nil || d.port == 0 {
		return one(skip(check, "Without the CA and a port in the configuration it is not known where to ask."))
	}
	roots := x509.NewCertPool()
	roots.AddCert(chain[0])
	names := slices.Clone(d.serverNames)
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	var found []diagnosis.Finding
	for _, name := range names {
		if f := d.askVerifier(ctx, name, roots); f.Level != diagnosis.OK {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		found = one(diagnosis.Well(check, "It answers under "+strings.Join(names, ", ")+", and says no to a token that is none."))
	}
	return found
}

func (d *doctor) askVerifier(ctx context.Context, name string, roots *x509.CertPool) diagnosis.Finding {
	const check = "verifier"
	ctx, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	port := strconv.Itoa(d.port)
	transport := &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12, Time: d.now},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if ip := net.ParseIP(d.host); ip != nil && !ip.IsUnspecified() {
				address = net.JoinHostPort(d.host, port) // it listens there alone
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	form := url.Values{"sessionId": {"dcvix-doctor"}, "authenticationToken": {"not-a-token"}, "clientAddress": {"127.0.0.1:1"}}
	address := "https://" + net.JoinHostPort(name, port) + dcvix.PathAuthTokenVerify
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return diagnosis.Trouble(check, fmt.Sprintf("%.200q is no name.", name), "Correct server_names.")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Transport: transport}).Do(req)
	untrusted, unknown := (*tls.CertificateVerificationError)(nil), (*net.DNSError)(nil)
	switch {
	case errors.As(err, &untrusted):
		return diagnosis.Trouble(check, fmt.Sprintf("Hosts that ask at %s do not believe the certificate: %v.", name, untrusted.Err), "Mend first what is said of the certificate, the names and the clock.")
	case errors.As(err, &unknown):
		return diagnosis.Warn(check, fmt.Sprintf("The name %s is not known on this machine: %v.", name, unknown), "See that hosts can resolve the name under which they know the director.").By("getent hosts " + name)
	case err != nil:
		return diagnosis.Trouble(check, fmt.Sprintf("Nothing answers at %s: %v.", net.JoinHostPort(name, port), err), "Look at director_host, at the port of dcvix-director.socket when systemd listens, and at the firewall.")
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what is missing is no verdict
	var verdict struct {
		XMLName xml.Name `xml:"auth"`
		Result  string   `xml:"result,attr"`
	}
	if err := xml.Unmarshal(text, &verdict); err != nil || verdict.Result != "no" {
		return diagnosis.Trouble(check, fmt.Sprintf("What answers at %s with status %d is no verifier.", address, resp.StatusCode), "See which program listens there.").By("ss -ltnp")
	}
	return diagnosis.Well(check, "")
}

// checkAgents asks the director which agents are silent or wait.
func (d *doctor) checkAgents(ctx context.Context) []diagnosis.Finding {
	const check = "agents"
	transport := d.overSocket()
	c, err := client.New(client.Config{URL: "https://dcvix-director", Transport: transport, Timeout: d.limit, MaxAnswer: 1 << 30})
	if err != nil {
		return one(diagnosis.Trouble(check, err.Error()+".", "Restart the director."))
	}
	defer c.Close()
	all, err := c.Agents(ctx, "")
	if err != nil {
		return one(diagnosis.Trouble(check, "The director does not say which agents it has: "+err.Error()+".", "Look at its log, and restart it.").By("journalctl -u dcvix-director"))
	}
	var silent []string
	registered, waiting := 0, 0
	for _, a := range all {
		switch a.State {
		case dcvix.AgentPending:
			waiting++
		case dcvix.AgentRegistered:
			registered++
			if d.now().Sub(a.LastSeenAt.Time) > silence {
				silent = append(silent, string(a.Hostname))
			}
		default:
		}
	}
	var found []diagnosis.Finding
	if len(silent) > 0 {
		slices.Sort(silent)
		const most = 10
		names := strings.Join(silent[:min(most, len(silent))], ", ")
		if len(silent) > most {
			names += fmt.Sprintf(" and %d more", len(silent)-most)
		}
		found = append(found, diagnosis.Warn(check, fmt.Sprintf("%d of %d agents have not been heard of for %d minutes: %s.", len(silent), registered, int(silence.Minutes()), names),
			"Look on such a host. Revoke the agent of one that is gone.").By("dcvix-agent doctor"))
	}
	if waiting > 0 {
		found = append(found, diagnosis.Warn(check, diagnosis.Count(waiting, "agent")+" waiting for approval.", "Compare the fingerprints, and approve or deny.").By("dcvix-director agents list --state pending"))
	}
	if len(found) == 0 {
		found = one(diagnosis.Well(check, diagnosis.Count(registered, "agent")+" registered, and none is silent."))
	}
	return found
}
