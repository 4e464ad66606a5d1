package directorcmd

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/cmd/internal/logging"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

// config is the configuration file as it was read. What its keys mean to the
// parts of a director is decided in run.go.
type config struct {
	set  *inifile.Set
	file string // it was read from; "" when there was none

	again func() (*config, error) // reads it as it is now

	host              string
	port              int
	agentPort         int
	authType          string
	tokenKey          string
	tokenKeyFile      string
	tokenKeysOld      []string
	policyFolder      string
	foldUsers         string // auto, true or false
	dataDir           string
	serverNames       []string
	registrationToken string
	pendingMax        int
	pendingPerAddress int
	connectionTTL     time.Duration
	network           networkConfig
	replaceConsole    bool
	strategy          string

	failures int
	window   time.Duration
	maxDelay time.Duration

	auditFile    string
	auditBytes   int64
	housekeeping time.Duration
	maxAge       time.Duration

	dataDirKey, portKey, authTypeKey, auditBytesKey *inifile.Key

	log      logging.Config
	metrics  metricsConfig
	otp      otpConfig
	backends map[string]BackendOpener
}

func newConfig(backends map[string]BackendFactory) *config {
	c := &config{set: inifile.New("dcvix-director"), backends: make(map[string]BackendOpener, len(backends))}
	c.declareDirector(backends)
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		c.backends[name] = backends[name](c.set.Section(name + "_auth"))
	}
	c.declareReserved(backends)
	c.network.declare(c.set)
	c.otp.declare(c.set)
	t := c.set.Section("throttle")
	t.Int(&c.failures, "failures", 5, "how many logins of a user at an address may fail within window before each further one costs a delay; ten times as many of a user at all strange addresses, twenty times as many of all users at one address").Range(1, 1000)
	t.Duration(&c.window, "window", 10*time.Minute, "in which so many failures are forgotten").Between(time.Second, 24*time.Hour)
	t.Duration(&c.maxDelay, "max_delay", 30*time.Second, "the longest delay after a failed login; the delays grow from 1s").Between(time.Second, 10*time.Minute)
	c.set.Section("placement").Enum(&c.strategy, "strategy", session.LeastLoaded, "how a host of a pool is chosen that names no strategy itself", session.Strategies()...)
	h := c.set.Section("housekeeper")
	h.Duration(&c.housekeeping, "housekeeper_frequency", 40*time.Second, "how often hosts that fell silent are looked for").Between(time.Second, 24*time.Hour)
	h.Duration(&c.maxAge, "max_age", 30*time.Second, "silence after which a host is shown as silent; never less than two and a half of its report intervals")
	a := c.set.Section("audit")
	a.Path(&c.auditFile, "file", "", "file that says who did what; empty takes audit.jsonl in data_dir")
	c.auditBytesKey = a.Size(&c.auditBytes, "max_bytes", 1<<30, "size of that file and of those it was moved aside to, all together, after which the oldest goes; at least 256KiB")
	c.metrics.declare(c.set)
	logging.Declare(c.set, &c.log)
	return c
}

func (c *config) declareDirector(backends map[string]BackendFactory) {
	s := c.set.Section("director")
	s.String(&c.host, "director_host", "0.0.0.0", "address to listen on")
	c.portKey = s.Int(&c.port, "director_port", 8445, "port to listen on; 0 takes a free one").Range(0, 65535)
	s.Int(&c.agentPort, "agent_port", 8446, "port on which agents are called that do not say theirs").Range(1, 65535)
	known := strings.Join(slices.Sorted(maps.Keys(backends)), ", ")
	c.authTypeKey = s.Enum(&c.authType, "auth_type", "pam", "how people log in; this build has "+known+" of", authTypes(backends)...)
	s.Secret(&c.tokenKey, "token_key", "", "base64 of the 32 bytes that seal tokens; without it, and without token_key_file, a new one at every start").Check(checkTokenKeys)
	s.Path(&c.tokenKeyFile, "token_key_file", "", "file with the token key; made once when it is not there")
	s.List(&c.tokenKeysOld, "token_keys_old", "", "token keys that still open tokens but seal none").Check(checkTokenKeys)
	s.Duration(&c.connectionTTL, "connection_token_ttl", time.Hour, "how long a connection token can be presented").Between(time.Minute, 24*time.Hour)
	s.Path(&c.policyFolder, "policydb_folder", "policydb", "folder of users.json, pools.json and, when there are rules for groups, groups.json; made with empty lists when it is not there")
	s.Enum(&c.foldUsers, "fold_user_case", "auto", "whether names of users and groups are the same when they differ in upper and lower case alone; auto is true for auth_type = ldap, where directories take them so", "auto", "true", "false")
	c.dataDirKey = s.Path(&c.dataDir, "data_dir", defaultDataDir(), "folder of keys, certificates and the register of agents")
	s.List(&c.serverNames, "server_names", "", "further host names and addresses of this director, for its certificate")
	s.Secret(&c.registrationToken, "registration_token", "", "what an unknown agent must show to be noted at all")
	s.Int(&c.pendingMax, "pending_max", 10_000, "how many agents may wait for approval").Range(1, 1_000_000)
	s.Bool(&c.replaceConsole, "replace_automatic_console", true, "whether the console session that a DCV server made by itself may be ended to make room, when nobody is connected to it")
	s.Int(&c.pendingPerAddress, "pending_per_address", 60, "how many new agents may ask from one address in an hour; not counted when they show the registration_token").Range(1, 1_000_000)
}

// reserved are the login backends of the 0.1 generation and their keys.
func reserved() map[string][]string {
	return map[string][]string{
		"pam":    {"pam_service_name"},
		"ldap":   {"ldap_address", "ldap_base_dn", "ldap_bind_user", "ldap_bind_password", "ldap_filter"},
		"radius": {"radius_server", "radius_port", "radius_secret"},
	}
}

// authTypes returns the values of auth_type that are no mistakes of writing:
// those of this build and those of the 0.1 generation.
func authTypes(backends map[string]BackendFactory) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(backends)), maps.Keys(reserved()))
	slices.Sort(names)
	return slices.Compact(names)
}

// checkTokenKeys checks one token key or several, of which the message shows
// nothing.
func checkTokenKeys(value string) error {
	for s := range strings.SplitSeq(value, ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if _, err := token.ParseKey(s); err != nil {
			return err
		}
	}
	return nil
}

// declareReserved accepts the keys of the 0.1 generation that this build has no
// use for, so that existing files load.
func (c *config) declareReserved(backends map[string]BackendFactory) {
	reserved := reserved()
	for _, name := range slices.Sorted(maps.Keys(reserved)) {
		if _, built := backends[name]; built {
			continue
		}
		for _, key := range reserved[name] {
			c.set.Section(name+"_auth").Reserved(key, "of the "+name+" backend")
		}
	}
}

func (c *config) load(path string, lenient bool, environ []string) error {
	found, err := inifile.Find(path, inifile.Candidates("director"))
	if err != nil {
		return err
	}
	c.file = found
	return c.set.Load(inifile.Source{Path: found, Environ: environ, Lenient: lenient})
}

// foldUserCase says whether names of users compare without case.
func (c *config) foldUserCase() bool {
	return c.foldUsers == "true" || c.foldUsers == "auto" && c.authType == "ldap"
}

func (c *config) checkAudit() error {
	if c.auditBytes < auditfile.MinBytes {
		return fmt.Errorf("the audit needs at least %d KiB: raise max_bytes (%s)", auditfile.MinBytes>>10, c.auditBytesKey.Where())
	}
	return nil
}

func (c *config) address() string { return net.JoinHostPort(c.host, strconv.Itoa(c.port)) }

// oldKeys returns the keys that only open tokens.
func (c *config) oldKeys() ([]token.Key, error) {
	keys := make([]token.Key, 0, len(c.tokenKeysOld))
	for i, s := range c.tokenKeysOld {
		key, err := token.ParseKey(s)
		if err != nil {
			return nil, fmt.Errorf("token_keys_old, entry %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
