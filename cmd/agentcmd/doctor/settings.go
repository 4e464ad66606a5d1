package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

const (
	settingsCheck = "DCV settings"
	copyCheck     = "DCV's CA file"
	verifierCheck = "verifier"
	consoleCheck  = "console"
)

func (d *doctor) settings() (*dcvconf.Settings, error) {
	if d.DCVConf == "" {
		return dcvconf.OpenMachine()
	}
	return dcvconf.Open(d.DCVConf)
}

// checkSettings looks at what the DCV server was told, and asks its verifier as
// the server would.
func (d *doctor) checkSettings(ctx context.Context) []Finding {
	settings, err := d.settings()
	if err != nil {
		remedy := "Install the DCV server, or give the path of its dcv.conf with --dcv-conf."
		if errors.Is(err, fs.ErrPermission) {
			remedy = asRoot
		}
		found := []Finding{problem(settingsCheck, err.Error()+".", remedy)}
		for _, check := range []string{copyCheck, verifierCheck, consoleCheck} {
			found = append(found, skipped(check, "The settings of DCV cannot be read.")...)
		}
		return found
	}
	console := checkConsole(settings)
	address, asks := text(settings, "security", "auth-token-verifier")
	if !asks || address == "" {
		found := []Finding{problem(settingsCheck, "DCV asks nobody who may come in: no token of the director opens a session.", asSetUp).By(setUp)}
		return append(append(append(found, skipped(copyCheck, "DCV has no verifier.")...), skipped(verifierCheck, "DCV has no verifier.")...), console)
	}
	own := d.isOurs(address)
	return []Finding{d.checkVerifierSetting(settings, address, own), d.checkCopy(settings, own), d.askVerifier(ctx, settings, address), console}
}

func text(settings *dcvconf.Settings, section, key string) (string, bool) {
	value, found := settings.Get(section, key)
	if !found {
		return "", false
	}
	return value.AsText()
}

// isOurs says whether a verifier is one of the agent's directors.
func (d *doctor) isOurs(address string) bool {
	for _, host := range d.Directors {
		if strings.TrimRight(address, "/") == "https://"+net.JoinHostPort(host, strconv.Itoa(d.DirectorPort))+dcvix.PathAuthTokenVerify {
			return true
		}
	}
	return false
}

func (d *doctor) checkVerifierSetting(settings *dcvconf.Settings, address string, own bool) Finding {
	strict, found := settings.Get("security", "no-tls-strict")
	if believes, known := strict.AsBool(); found && (!known || believes) {
		return problem(settingsCheck, "no-tls-strict is on: DCV believes whoever answers in place of the director.", asSetUp).By(setUp)
	}
	u, err := url.Parse(address)
	switch {
	case own:
		return ok(settingsCheck, settings.Where()+" has DCV ask the director.")
	case err != nil || u.Scheme != "https" || !strings.HasSuffix(strings.TrimRight(u.Path, "/"), dcvix.PathAuthTokenVerify):
		return problem(settingsCheck, fmt.Sprintf("DCV asks %s, which is no verifier of a director over TLS.", address), asSetUp).By(setUp)
	}
	return warning(settingsCheck, fmt.Sprintf("DCV asks %s, and the agent's director is %s.", address, d.Directors[0]), "Leave it if that is a way to the same director, as through a proxy. If not, set the DCV server up again and restart it.").By(setUp)
}

// checkCopy compares the CA file of DCV with the agent's.
func (d *doctor) checkCopy(settings *dcvconf.Settings, own bool) Finding {
	path, found := text(settings, "security", "ca-file")
	if !found || path == "" {
		if own {
			return problem(copyCheck, "DCV has no ca-file: it does not know the director's certificate.", asSetUp).By(setUp)
		}
		return ok(copyCheck, "None: DCV trusts the CAs of the system.")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return problem(copyCheck, err.Error()+".", asSetUp).By(setUp)
	}
	chain, err := ca.ParseCerts(content)
	if err != nil {
		return problem(copyCheck, fmt.Sprintf("%s: %v.", path, err), asSetUp).By(setUp)
	}
	if at := hiddenFrom("dcv", path); at != "" {
		return problem(copyCheck, fmt.Sprintf("The account dcv of the DCV server cannot read %s because of the rights of %s.", path, at), "Let others through.").By("chmod o+rX " + at)
	}
	if own && d.id.anchor != nil && !bytes.Equal(chain[0].Raw, d.id.anchor.Raw) {
		return problem(copyCheck, path+" is not the CA of the agent's director any more.", asSetUp).By(setUp)
	}
	return ok(copyCheck, path)
}

// askVerifier asks as DCV does, with a token that is none (Administrator Guide,
// "Using external authentication").
func (d *doctor) askVerifier(ctx context.Context, settings *dcvconf.Settings, address string) Finding {
	ctx, cancel := context.WithTimeout(ctx, d.Limit)
	defer cancel()
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, Time: d.Now}
	if path, found := text(settings, "security", "ca-file"); found && path != "" {
		content, err := os.ReadFile(path)
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(content) {
			return skipped(verifierCheck, "DCV's CA file has to be mended first.")[0]
		}
		tlsConfig.RootCAs = roots
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: tlsConfig, MaxResponseHeaderBytes: maxBody}}
	form := url.Values{"sessionId": {"dcvix-doctor"}, "authenticationToken": {"not-a-token"}, "clientAddress": {"127.0.0.1:1"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return problem(verifierCheck, fmt.Sprintf("%.200q is not a URL.", address), asSetUp).By(setUp)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got, err := do(client, req)
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return problem(verifierCheck, fmt.Sprintf("DCV does not believe the certificate of %s: %v.", req.URL.Host, untrusted.Err), "Mend first what is said of the director, the clock and DCV's CA file. "+asSetUp).By(setUp)
	}
	if err != nil {
		return unreachable(verifierCheck, req.URL.Host, err, "auth-token-verifier of DCV")
	}
	var verdict struct {
		XMLName xml.Name `xml:"auth"`
		Result  string   `xml:"result,attr"`
	}
	switch err := xml.Unmarshal(got.body, &verdict); {
	case err != nil || got.status != http.StatusOK || verdict.Result != "no" && verdict.Result != "yes":
		return problem(verifierCheck, fmt.Sprintf("What answers at %s with status %d is no verifier.", address, got.status), asSetUp).By(setUp)
	case verdict.Result == "yes":
		return problem(verifierCheck, address+" says yes to a token that is none: everybody gets in.", asSetUp).By(setUp)
	}
	return ok(verifierCheck, "It answers, and says no to a token that is none.")
}

// checkConsole looks for the session that DCV starts by itself.
func checkConsole(settings *dcvconf.Settings) Finding {
	value, _ := settings.Get("session-management", "create-session")
	if starts, _ := value.AsBool(); !starts {
		return ok(consoleCheck, "DCV starts no session by itself.")
	}
	owner, _ := text(settings, "session-management/automatic-console-session", "owner")
	if owner == "" {
		return warning(consoleCheck, "DCV starts a console session that belongs to the account of the server. While it is there, no other console and no virtual session can be.",
			"Set the DCV server up again, with --console-owner NAME if it is to be somebody's.").By(setUp)
	}
	return ok(consoleCheck, "DCV starts a console session of "+owner+".")
}
