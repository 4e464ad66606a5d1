package directorcmd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session/auditfile"
	"github.com/dcvix/dcvix/session/sqlite"
)

const (
	caEndsSoon     = 180 * 24 * time.Hour // to plan for: every agent has to learn a new one
	serverEndsSoon = 7 * 24 * time.Hour   // the director renews its own a third of its life before
	tooFull        = 50 << 20             // bytes; the register and the audit cannot be written below
	almostFull     = 1 << 30

	startIt = "systemctl start dcvix-director"
)

func (d *doctor) inData(name string) string { return filepath.Join(d.dataDir, name) }

func (d *doctor) checkConfiguration(context.Context) []diagnosis.Finding {
	const check = "configuration"
	if d.file == "" {
		return one(diagnosis.Warn(check, "No configuration file was found: the director runs on its defaults.", "Write one.").By("dcvix-director --write-config PATH"))
	}
	found := []diagnosis.Finding{diagnosis.Well(check, d.file)}
	if info, err := os.Stat(d.file); err == nil && info.Mode().Perm()&0o004 != 0 && d.holdsSecret() {
		found = one(diagnosis.Trouble(check, "Everybody on this machine can read "+d.file+", which has secrets in it.", "Close it, and change these secrets.").By("chmod o= " + d.file))
	}
	if d.tokenKey == "" && d.tokenKeyFile == "" {
		found = append(found, diagnosis.Warn(check, "There is neither token_key_file nor token_key: everybody is logged out whenever the director restarts.",
			"Set token_key_file to "+d.inData(standalone.TokenKeyFile)+": the director makes it."))
	}
	return found
}

// holdsSecret says whether a key whose value is a secret stands in the file itself.
func (d *doctor) holdsSecret() bool {
	text, err := os.ReadFile(d.file)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "token_key", "token_keys_old", "registration_token", "ldap_bind_password", "radius_secret", "privacyidea_api_key":
			if strings.TrimSpace(value) != "" {
				return true
			}
		}
	}
	return false
}

// checkKeys looks at the keys: theirs is the fleet who has them.
func (d *doctor) checkKeys(context.Context) []diagnosis.Finding {
	const check = "keys"
	if _, err := os.Stat(d.inData(ca.KeyFile)); errors.Is(err, fs.ErrNotExist) {
		return one(diagnosis.Trouble(check, "There is no "+d.inData(ca.KeyFile)+": no director has run with this data folder.", "Start the director, or name its configuration with --conf.").By(startIt))
	}
	var found []diagnosis.Finding
	paths := []string{d.inData(ca.KeyFile), d.inData(ca.ServerKeyFile)}
	if d.tokenKeyFile != "" {
		paths = append(paths, d.tokenKeyFile)
	}
	for _, path := range paths {
		switch err := ca.CheckKeyFile(path); {
		case errors.Is(err, ca.ErrInsecureKey):
			found = append(found, diagnosis.Trouble(check, err.Error()+".", "Run that command, and consider who may have read the key: the director does not start with it."))
		case errors.Is(err, fs.ErrNotExist):
			found = append(found, diagnosis.Warn(check, path+" is not there.", "Start the director: it makes a new one.").By(startIt))
		case err != nil:
			found = append(found, diagnosis.Trouble(check, err.Error()+".", "Run this as the director's user or as root."))
		}
	}
	if len(found) == 0 {
		found = one(diagnosis.Well(check, fmt.Sprintf("%d keys, their owner's alone.", len(paths))))
	}
	return found
}

func (d *doctor) checkCertificates(context.Context) []diagnosis.Finding {
	const authority, own = "CA", "certificate"
	chain, err := ca.ReadCertFile(d.inData(ca.CertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return one(skip(authority, "There is none before the first start."))
	}
	if err != nil {
		return one(diagnosis.Trouble(authority, err.Error()+".", "Put the director of a backup back.").By("dcvix-director restore FILE --replace"))
	}
	found := one(d.life(authority, chain[0], caEndsSoon, "Plan for a new CA: every agent has to learn it (docs/operations.md)."))
	server, err := ca.ReadCertFile(d.inData(ca.ServerCertFile))
	if err != nil {
		return append(found, diagnosis.Warn(own, err.Error()+".", "Start the director: it makes a new one.").By(startIt))
	}
	leaf := server[0]
	if err := leaf.CheckSignatureFrom(chain[0]); err != nil {
		found = append(found, diagnosis.Warn(own, "The director's certificate is not of its own CA: agents and DCV servers have to trust who issued it.", "Leave it if that is meant; if not, remove "+d.inData(ca.ServerCertFile)+" and restart."))
	}
	found = append(found, d.life(own, leaf, serverEndsSoon, "Restart the director, which renews its own certificate; replace one that you placed there."))
	return append(found, d.checkNames(leaf)...)
}

// life says whether a certificate is good now and for how long.
func (d *doctor) life(check string, cert *x509.Certificate, soon time.Duration, remedy string) diagnosis.Finding {
	now, until := d.now(), cert.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.Before(cert.NotBefore):
		return diagnosis.Trouble(check, fmt.Sprintf("It is good from %s on, and this machine's clock says %s.", moment(cert.NotBefore), moment(now)), "Set the clock.").By("timedatectl")
	case now.After(cert.NotAfter):
		return diagnosis.Trouble(check, "It ended on "+until+".", remedy)
	case cert.NotAfter.Sub(now) < soon:
		return diagnosis.Warn(check, "It ends on "+until+".", remedy)
	}
	return diagnosis.Well(check, "Good until "+until+", fingerprint "+ca.FingerprintOf(cert).String())
}

// checkNames compares the certificate with the names that the operator gave.
func (d *doctor) checkNames(leaf *x509.Certificate) []diagnosis.Finding {
	var lacking []string
	for _, name := range d.serverNames {
		if leaf.VerifyHostname(name) != nil {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return one(diagnosis.Warn("names", "The certificate lacks "+strings.Join(lacking, ", ")+" of server_names: agents that dial this refuse the director.",
		"Restart the director, which takes new names at its start; replace a certificate that you placed there.").By("systemctl restart dcvix-director"))
}

func (d *doctor) checkClock(context.Context) []diagnosis.Finding {
	const check = "clock"
	synced, err := d.synced()
	switch {
	case err != nil:
		return one(skip(check, "Whether something keeps the clock right cannot be seen here: "+err.Error()+"."))
	case !synced:
		return one(diagnosis.Warn(check, "Nothing keeps this machine's clock right. Certificates and tokens are good for a time, on every host's own clock.",
			"Have a time service run, such as chrony or systemd-timesyncd.").By("timedatectl set-ntp true"))
	}
	return one(diagnosis.Well(check, "A time service keeps it right."))
}

func (d *doctor) checkDisk(context.Context) []diagnosis.Finding {
	const check = "disk"
	folder := d.dataDir
	for _, err := os.Stat(folder); err != nil && folder != filepath.Dir(folder); _, err = os.Stat(folder) {
		folder = filepath.Dir(folder)
	}
	free, err := d.free(folder)
	if err != nil {
		return one(diagnosis.Warn(check, fmt.Sprintf("The free space at %s cannot be read: %v.", folder, err), "Look whether its file system is healthy."))
	}
	text := fmt.Sprintf("%d MiB are free at %s.", free>>20, folder)
	switch {
	case free < tooFull:
		return one(diagnosis.Trouble(check, text, "Free some space: neither register nor audit can be written, and nobody gets a session."))
	case free < almostFull:
		return one(diagnosis.Warn(check, text, "Free some space, or lower [audit] max_bytes, which is what grows."))
	}
	return one(diagnosis.Well(check, text))
}

func (d *doctor) checkRegister(ctx context.Context) []diagnosis.Finding {
	const check = "register"
	path := d.inData(standalone.DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return one(skip(check, "There is none before the first start."))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return one(diagnosis.Trouble(check, err.Error()+".", "Run this as the director's user. If you do, give it the file.").By("chown dcvix: " + path))
	}
	_ = f.Close() // nothing was written
	if err := sqlite.Check(ctx, path); err != nil {
		return one(diagnosis.Trouble(check, err.Error()+".", "Stop the director, and put that of a backup back.").By("dcvix-director restore FILE --replace"))
	}
	return one(diagnosis.Well(check, path+" can be written, and is whole."))
}

func (d *doctor) checkChain(context.Context) []diagnosis.Finding {
	const check = "audit"
	path := d.places().Audit
	records, err := auditfile.Verify(path)
	broken := (*auditfile.BrokenError)(nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return one(skip(check, "There is none before the first start."))
	case errors.As(err, &broken):
		return one(diagnosis.Trouble(check, "The audit is not what was written: "+err.Error()+".", "Somebody changed it, or a disk did. Keep the files, and compare them with a backup."))
	case err != nil:
		return one(diagnosis.Trouble(check, err.Error()+".", "Run this as the director's user or as root."))
	}
	return one(diagnosis.Well(check, fmt.Sprintf("%d records, an unbroken chain.", records)))
}

func (d *doctor) checkRules(context.Context) []diagnosis.Finding {
	const check = "policy"
	rules, err := d.rules()
	if err != nil {
		return one(diagnosis.Trouble(check, err.Error()+".", "Correct the file: until then the policy before it counts, and a director does not start.").By("dcvix-director policy check"))
	}
	var found []diagnosis.Finding
	for _, p := range rules.Problems {
		found = append(found, diagnosis.Warn(check, p.String()+".", "Correct the file.").By("dcvix-director policy check"))
	}
	if len(found) == 0 {
		found = one(diagnosis.Well(check, d.policyFolder))
	}
	return found
}
