package doctor

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
)

// An identity is what the data folder says the agent is. What is not there, or
// cannot be used, is zero.
type identity struct {
	readable bool // the folder and what is in it
	guid     dcvix.AgentID
	key      *ca.Fingerprint
	cert     *x509.Certificate
	anchor   *x509.Certificate // the director's CA
}

func (d *doctor) file(name string) string { return filepath.Join(d.DataDir, name) }

const dataCheck = "data folder"

// readIdentity reads the data folder and says what is wrong with it.
func (d *doctor) readIdentity() []Finding {
	info, err := os.Stat(d.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{problem(dataCheck, d.DataDir+" is not there: the agent never ran.", startIt).By(restartAgent())}
	case err != nil:
		return []Finding{problem(dataCheck, err.Error()+".", asRoot)}
	case !info.IsDir():
		return []Finding{problem(dataCheck, d.DataDir+" is a file.", "Name a folder as data_dir in the agent's configuration.")}
	}
	if remedy := closed(d.DataDir, info); remedy != "" {
		return append(d.readFiles(), problem(dataCheck, "Others may write in "+d.DataDir+", and so replace the agent's identity.", "Close it.").By(remedy))
	}
	return d.readFiles()
}

// readFiles reads what is in the folder. It returns one finding.
func (d *doctor) readFiles() []Finding {
	bad := func(err error, remedy string) []Finding {
		if errors.Is(err, fs.ErrPermission) {
			remedy = asRoot
		}
		return []Finding{problem(dataCheck, err.Error()+".", remedy)}
	}
	key, err := ca.ReadKeyFile(d.file(agentclient.KeyFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, ca.ErrInsecureKey): // the error names the command
		return bad(err, "Run that command, and consider whether somebody has read the key: without it and agent.guid the agent makes new ones.")
	case err != nil:
		return bad(err, "Restart the agent: it puts a damaged key aside and makes a new one, which has to be approved.")
	default:
		if fingerprint, err := ca.KeyFingerprint(key.Public()); err == nil {
			d.id.key = &fingerprint
		}
	}
	if text, err := os.ReadFile(d.file(agentclient.GUIDFile)); err == nil {
		if guid := dcvix.AgentID(strings.ToLower(strings.TrimSpace(string(text)))); guid.Validate() == nil {
			d.id.guid = guid
		}
	}
	for name, to := range map[string]**x509.Certificate{agentclient.CAFile: &d.id.anchor, agentclient.CertFile: &d.id.cert} {
		chain, err := ca.ReadCertFile(d.file(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil && name == agentclient.CAFile:
			return bad(err, "Copy the director's CA there, or remove the file to trust the first director that answers.")
		case err != nil:
			return bad(err, "Restart the agent: it asks for a new certificate.")
		default:
			*to = chain[0]
		}
	}
	d.id.readable = true
	return []Finding{ok(dataCheck, d.DataDir+", closed to others.")}
}
