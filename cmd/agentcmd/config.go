package agentcmd

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/cmd/internal/logging"
)

// config is the content of dcvix-agent.conf. The keys that messages of a later
// moment name are kept.
type config struct {
	set *inifile.Set
	log logging.Config

	directorHosts     []string
	directorPort      int
	agentPort         int
	bindAddress       string
	tags              []string
	dcvPath           string
	dcvPort           int
	updateInterval    time.Duration
	idleTimeout       time.Duration
	reapInterval      time.Duration
	reapConsole       bool
	reapForeign       bool
	dataDir           string
	registrationToken string
	caFingerprint     string
	hostname          string

	directorHostKey, agentPortKey, dcvPathKey, dataDirKey, hostnameKey *inifile.Key
}

func newConfig() *config {
	c := &config{set: inifile.New("dcvix-agent")}
	s := c.set.Section("agent")
	c.directorHostKey = s.List(&c.directorHosts, "director_host", "127.0.0.1", "name or address of the director, as its certificate has it; of several, separated by commas, one that answers is used").Check(checkHosts)
	s.Int(&c.directorPort, "director_port", agentclient.DefaultDirectorPort, "port of the director").Range(1, 65535)
	c.agentPortKey = s.Int(&c.agentPort, "agent_port", agentclient.DefaultAgentPort, "port that the director calls this host on").Range(1024, 65535)
	s.String(&c.bindAddress, "bind_address", "0.0.0.0", "address to listen on; 0.0.0.0 means every IPv4 address, :: every one").Check(checkAddress)
	s.List(&c.tags, "tags", "", "words that describe this host to the director, separated by commas")
	c.dcvPathKey = s.Path(&c.dcvPath, "dcv_path", defaultDCVPath, "the dcv command; empty means where DCV installs it")
	s.Int(&c.dcvPort, "dcv_port", 8443, "port on which the DCV server of this host takes viewers and browsers").Range(1, 65535)
	s.Duration(&c.updateInterval, "update_interval", 30*time.Second, "time between reports; 0 turns them off").Check(zeroOr(time.Second, "1s", "for no reports"))
	s.Duration(&c.idleTimeout, "idle_timeout", 0, "how long a session may be without a client before it is closed; 0 means for ever").Check(zeroOr(time.Minute, "1m", "to close no idle session"))
	s.Duration(&c.reapInterval, "reap_interval", time.Minute, "time between looks for idle sessions; 0 means that none is closed").Check(zeroOr(time.Second, "1s", "to close no idle session"))
	s.Bool(&c.reapConsole, "reap_console", false, "close idle consoles too")
	s.Bool(&c.reapForeign, "reap_foreign", false, "close idle sessions too that neither a director nor this agent created")
	c.dataDirKey = s.Path(&c.dataDir, "data_dir", defaultDataDir(), "folder of the agent's identity: agent.guid, agent.key, agent.crt, ca.pem").Check(notEmpty)
	s.Secret(&c.registrationToken, "registration_token", "", "token of a director that lets no host register without one")
	s.String(&c.caFingerprint, "ca_fingerprint", "", "SHA-256 of the director's CA, which makes the first contact safe").Check(checkFingerprint)
	c.hostnameKey = s.String(&c.hostname, "hostname", "", "name of this host for the director; empty means its own").Check(checkHostname)
	logging.Declare(c.set, &c.log)
	return c
}

func checkHosts(value string) error {
	for host := range strings.SplitSeq(value, ",") {
		host = strings.TrimSpace(host)
		if _, err := dcvix.ParseHostname(host); err != nil && net.ParseIP(host) == nil {
			return fmt.Errorf("%.80q is neither a host name nor an address: write it without scheme and port", host)
		}
	}
	return nil
}

func checkAddress(value string) error {
	if value != "" && net.ParseIP(value) == nil {
		return fmt.Errorf("%.80q is not an address of this host: write one such as 0.0.0.0 or 10.0.0.5", value)
	}
	return nil
}

// zeroOr returns the check that a duration is 0, which means that, or long enough.
func zeroOr(least time.Duration, written, zero string) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil {
			d, _ = time.ParseDuration(value + "s") // a bare number
		}
		if d > 0 && d < least {
			return fmt.Errorf("%s is too short: write %s or more, or 0 %s", value, written, zero)
		}
		return nil
	}
}

func notEmpty(value string) error {
	if value == "" {
		return errors.New("it is empty: name a folder, or remove the line")
	}
	return nil
}

func checkFingerprint(value string) error {
	if value == "" {
		return nil
	}
	_, err := ca.ParseFingerprint(value)
	return err
}

func checkHostname(value string) error {
	if value == "" {
		return nil
	}
	_, err := dcvix.ParseHostname(value)
	return err
}

// load reads the file and the environment. All errors are the operator's.
func (c *config) load(opts Options, f flags) (path string, err error) {
	path, err = inifile.Find(f.conf, inifile.Candidates("agent"))
	if err == nil {
		err = c.set.Load(inifile.Source{Path: path, Environ: opts.Environ, Lenient: f.lenient})
	}
	if err != nil {
		return "", cmdline.Usage(err)
	}
	return path, nil
}
