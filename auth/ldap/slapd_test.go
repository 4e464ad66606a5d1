package ldap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dcvix/dcvix/auth/ldap"
)

const (
	baseDN      = "dc=example,dc=test"
	serviceDN   = "cn=svc,dc=example,dc=test"
	servicePass = "service-tulip-1"
	alicePass   = "alice-tulip-2"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		stopSlapd()
		os.Exit(code) //nolint:forbidigo // TestMain has to
	}))
}

// An openLDAP is a slapd that runs for the whole test, with attributes as Active
// Directory has them.
type openLDAP struct {
	dir, plain, tls string // folder; ldap:// and ldaps:// addresses
	roots           *x509.CertPool
	cmd             *exec.Cmd
}

var (
	startOnce sync.Once
	running   *openLDAP
	errStart  error
)

// slapd returns the directory of this test run. It is shared: tests read only.
func slapd(t testing.TB) *openLDAP {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program = "/usr/sbin/slapd" // where Debian has it, outside of people's PATH
		_, err = os.Stat(program)
	}
	if err != nil {
		if os.Getenv("CI") == "true" { //nolint:forbidigo // a skip is a failure there
			t.Fatal("slapd is missing: install it with \"scripts/need slapd\"")
		}
		t.Skip("slapd is missing: install it with \"scripts/need slapd\" to run this test")
	}
	startOnce.Do(func() { running, errStart = startSlapd(program) })
	require.NoError(t, errStart)
	return running
}

func stopSlapd() {
	if running == nil {
		return
	}
	_ = running.cmd.Process.Kill()
	_ = running.cmd.Wait()
	_ = os.RemoveAll(running.dir)
}

func startSlapd(program string) (s *openLDAP, err error) {
	s = new(openLDAP)
	if s.dir, err = os.MkdirTemp("", "slapd"); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		return nil, err
	}
	authority := newAuthority("directory CA")
	s.roots = authority.pool()
	pair := authority.sign("localhost")
	for name, text := range map[string]string{
		"server.pem": string(pemOf("CERTIFICATE", pair.Certificate[0])), "server.key": string(keyPEM(pair)),
		"ca.pem": string(pemOf("CERTIFICATE", authority.cert.Raw)), "slapd.conf": slapdConf(s.dir), "seed.ldif": seed,
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(s.dir, "slapd.conf")
	add := exec.Command(program, "-T", "add", "-q", "-f", conf, "-l", filepath.Join(s.dir, "seed.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("slapadd: %w: %s", err, out)
	}
	p, q := freePort(), freePort()
	s.plain, s.tls = "ldap://localhost:"+p, "ldaps://localhost:"+q
	said, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = said.Close() }()
	s.cmd = exec.Command(program, "-f", conf, "-h", "ldap://127.0.0.1:"+p+" ldaps://127.0.0.1:"+q, "-d", "0")
	s.cmd.Stdout, s.cmd.Stderr = said, said
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	return s, s.addGroups()
}

// addGroups waits for slapd and adds groups: only a running one keeps memberOf.
func (s *openLDAP) addGroups() error {
	var c *goldap.Conn
	err := fmt.Errorf("slapd does not start: see %s/log", s.dir)
	for until := time.Now().Add(20 * time.Second); c == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			return err
		}
		c, err = goldap.DialURL(s.plain)
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind("cn=root,dc=example,dc=test", "rootpw"); err != nil {
		return err
	}
	groups := map[string]string{"cn=dcv-users": "cn=Alice,ou=people", `cn=CAD\, Europe`: "cn=Alice,ou=people"}
	for i := range 70 {
		groups[fmt.Sprintf("cn=group-%02d", i)] = "cn=Erin,ou=people"
	}
	for name, member := range groups {
		req := goldap.NewAddRequest(name+",ou=groups,"+baseDN, nil)
		req.Attribute("objectClass", []string{"groupOfNames"})
		req.Attribute("member", []string{member + "," + baseDN})
		if err := c.Add(req); err != nil {
			return err
		}
	}
	return nil
}

// slapdConf lets in what a careless directory lets in: an empty password, and an
// empty name with any password, pass as anonymous.
func slapdConf(dir string) string {
	return strings.ReplaceAll(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'adUser' AUXILIARY MAY ( sAMAccountName $ userPrincipalName $ userAccountControl ) )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile DIR/slapd.pid
argsfile DIR/slapd.args
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
TLSVerifyClient never
allow bind_anon_cred bind_anon_dn
database mdb
suffix "dc=example,dc=test"
rootdn "cn=root,dc=example,dc=test"
rootpw rootpw
directory DIR/db
dbnosync
index objectClass,sAMAccountName,uid eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,dc=example,dc=test"
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=public,dc=example,dc=test" by * read
access to dn.base="cn=blind,dc=example,dc=test" by * auth
access to * by dn.exact="cn=blind,dc=example,dc=test" none by users read by anonymous auth by * none
`, "DIR", dir)
}

const seed = `dn: dc=example,dc=test
objectClass: domain
dc: example

dn: ou=people,dc=example,dc=test
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=test
objectClass: organizationalUnit
ou: groups

dn: ou=public,dc=example,dc=test
objectClass: organizationalUnit
ou: public

dn: cn=policy,dc=example,dc=test
objectClass: device
objectClass: pwdPolicy
cn: policy
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMustChange: TRUE

dn: cn=svc,dc=example,dc=test
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: svc
userPassword: service-tulip-1

dn: cn=blind,dc=example,dc=test
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: blind
userPassword: service-tulip-1

dn: cn=Alice,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adUser
cn: Alice
sn: Test
uid: alice-by-uid
sAMAccountName: alice
userPrincipalName: alice@example.test
userAccountControl: 512
employeeType: cad
employeeType: gpu
userPassword: alice-tulip-2

dn: cn=Bob (Ops)\, Jr,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adUser
cn: Bob (Ops), Jr
sn: Ops
sAMAccountName: bob
userAccountControl: 514
userPassword: alice-tulip-2

dn: cn=Carol,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adUser
cn: Carol
sn: Locked
sAMAccountName: carol
userPassword: alice-tulip-2
pwdAccountLockedTime: 000001010000Z

dn: cn=Heidi,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Heidi
sn: New
uid: heidi
userPassword: alice-tulip-2
pwdReset: TRUE

dn: cn=Dave,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Dave
sn: Unix
uid: dave
userPassword: alice-tulip-2

dn: cn=Erin,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Erin
sn: Many
uid: erin
userPassword: alice-tulip-2

dn: cn=Frank,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Frank
sn: Names
uid: frank
uid: fsmith
mail: frank@example.test
userPassword: alice-tulip-2

dn: cn=Grace,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Grace
sn: No password
uid: grace

dn: cn=Nameless,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
cn: Nameless
sn: Nameless
userPassword: alice-tulip-2

dn: cn=Twin One,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adUser
cn: Twin One
sn: Twin
sAMAccountName: twin
userPassword: alice-tulip-2

dn: cn=Twin Two,ou=people,dc=example,dc=test
objectClass: inetOrgPerson
objectClass: adUser
cn: Twin Two
sn: Twin
sAMAccountName: twin
userPassword: alice-tulip-2

dn: cn=Zoe,ou=public,dc=example,dc=test
objectClass: inetOrgPerson
cn: Zoe
sn: Public
uid: zoe
userPassword: alice-tulip-2
`

// config is a configuration for slapd that works.
func (s *openLDAP) config(t testing.TB) ldap.Config {
	return ldap.Config{
		Addresses: []string{s.tls}, RootCAs: s.roots, BaseDN: baseDN, BindUser: serviceDN, BindPassword: servicePass,
		Filter: "(|(sAMAccountName=%s)(uid=%s))", GroupAttribute: "memberOf", Logger: logTo(t, nil),
	}
}

// open returns a backend that is closed when the test ends.
func open(t testing.TB, cfg ldap.Config) *ldap.Backend {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = logTo(t, nil)
	}
	b, err := ldap.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// A record keeps what was logged.
type record struct {
	mu   sync.Mutex
	text strings.Builder
	t    testing.TB
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text.Write(p)
	return r.t.Output().Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func logTo(t testing.TB, r *record) *slog.Logger {
	if r == nil {
		return slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	r.t = t
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// An authority signs certificates for the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string) *authority {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return &authority{cert, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func (a *authority) sign(name string) tls.Certificate {
	return a.signUntil(name, time.Now().Add(24*time.Hour))
}

func (a *authority) signUntil(name string, end time.Time) tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyPEM(pair tls.Certificate) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		panic(err)
	}
	return pemOf("PRIVATE KEY", der)
}
