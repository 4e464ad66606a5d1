package inifile_test

import (
	"bytes"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// directorFile is what an installation of the 0.1 generation may have: frozen
// keys, comments after numbers, and values that other readers spoil.
const directorFile = `; dcvix director
[director]
director_host = 0.0.0.0
director_port = 8445        ; where launchers and agents call
agent_port    = 8446        # where agents listen
auth_type     = ldap        ; pam, ldap, radius, external
token_key     = q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=
policydb_folder = policydb
data_dir = /var/lib/dcvix-director

[ldap_auth]
ldap_address = ldaps://dc1.lab.example:636
ldap_base_dn = dc=lab,dc=example
ldap_bind_user = "cn=svc dcvix,ou=Service;Accounts,dc=lab,dc=example"
ldap_bind_password = p#ss;w\rd = x
ldap_filter = (&(sAMAccountName=%s)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))
otp_type = external
otp_external_command = C:\Program Files\otp\check.exe
otp_external_args = "--realm" "lab one"

[gateway]
gateways_list = 10.0.0.5, 10.0.0.6

[housekeeper]
housekeeper_frequency = 40s
max_age = 30s # seconds

[log]
level = warning
directory = C:\logs\
rotation = 2
`

func TestAFileOfThe01GenerationLoadsUnchanged(t *testing.T) {
	var host, authType, key, policy, data, address, base, user, password, filter, otpType, command, args, level, directory string
	var gateways []string
	var port, agentPort, rotation int
	var frequency, maxAge time.Duration
	set := inifile.New("dcvix-director")
	s := set.Section("director")
	s.String(&host, "director_host", "", "")
	s.Int(&port, "director_port", 1, "")
	s.Int(&agentPort, "agent_port", 1, "")
	s.Enum(&authType, "auth_type", "pam", "", "pam", "ldap", "radius", "external")
	s.Secret(&key, "token_key", "", "")
	s.Path(&policy, "policydb_folder", "", "")
	s.String(&data, "data_dir", "", "")
	s = set.Section("ldap_auth")
	s.String(&address, "ldap_address", "", "")
	s.String(&base, "ldap_base_dn", "", "")
	s.String(&user, "ldap_bind_user", "", "")
	s.Secret(&password, "ldap_bind_password", "password", "")
	s.String(&filter, "ldap_filter", "", "")
	s.Enum(&otpType, "otp_type", "disabled", "", "disabled", "privacyidea", "external")
	s.String(&command, "otp_external_command", "", "")
	s.String(&args, "otp_external_args", "", "")
	set.Section("gateway").List(&gateways, "gateways_list", "127.0.0.1", "")
	s = set.Section("housekeeper")
	s.Duration(&frequency, "housekeeper_frequency", 0, "")
	s.Duration(&maxAge, "max_age", 0, "")
	s = set.Section("log")
	s.Enum(&level, "level", "info", "", "debug", "info", "warning", "error", "critical")
	s.String(&directory, "directory", "", "")
	s.Int(&rotation, "rotation", 0, "")

	for name, content := range map[string]string{"of Unix": directorFile, "of Windows": strings.ReplaceAll(directorFile, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			path := write(t, content)
			require.NoError(t, set.Load(inifile.Source{Path: path}))
			assert.Empty(t, set.Notes())
			assert.Equal(t, "0.0.0.0", host)
			assert.Equal(t, 8445, port)
			assert.Equal(t, 8446, agentPort)
			assert.Equal(t, "ldap", authType)
			assert.Equal(t, "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=", key)
			assert.Equal(t, filepath.Join(filepath.Dir(path), "policydb"), policy)
			assert.Equal(t, "/var/lib/dcvix-director", data)
			assert.Equal(t, "ldaps://dc1.lab.example:636", address)
			assert.Equal(t, "dc=lab,dc=example", base)
			assert.Equal(t, "cn=svc dcvix,ou=Service;Accounts,dc=lab,dc=example", user)
			assert.Equal(t, `p#ss;w\rd = x`, password)
			assert.Equal(t, "(&(sAMAccountName=%s)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", filter)
			assert.Equal(t, "external", otpType)
			assert.Equal(t, `C:\Program Files\otp\check.exe`, command)
			assert.Equal(t, `"--realm" "lab one"`, args)
			assert.Equal(t, []string{"10.0.0.5", "10.0.0.6"}, gateways)
			assert.Equal(t, 40*time.Second, frequency)
			assert.Equal(t, 30*time.Second, maxAge)
			assert.Equal(t, "warning", level)
			assert.Equal(t, `C:\logs\`, directory)
			assert.Equal(t, 2, rotation)
		})
	}
}

func TestTheNearestKeyIsTheOneThatWasMeant(t *testing.T) {
	tests := map[string]string{ // written → suggested
		"director_hots":  "director_host",
		"directorhost":   "director_host",
		"DIRECTOR-HOST":  "director_host",
		"directo_port":   "director_port",
		"bind_pasword":   "bind_password",
		"bind_passwrd_f": "",
		"tls_strict":     "tls-strict",
		"maxage":         "max_age",
		"gatewy":         "gateway",
		"servernames":    "server_names",
		"something_else": "",
		"x":              "",
	}
	for written, want := range tests {
		t.Run(written, func(t *testing.T) {
			_, err := load(t, "[demo]\n"+written+" = 1\n")
			require.Error(t, err)
			if want == "" {
				assert.NotContains(t, err.Error(), "did you mean director")
				return
			}
			assert.Contains(t, err.Error(), "did you mean "+want+"?")
		})
	}
}

func TestNamesOfVariables(t *testing.T) {
	tests := map[string]struct{ section, key, variable string }{
		"a plain name":      {"director", "director_host", "DCVIX_DIRECTOR_DIRECTOR_HOST"},
		"dashes":            {"dcvix-launcher", "accept-untrusted-cert", "DCVIX_DCVIX_LAUNCHER_ACCEPT_UNTRUSTED_CERT"},
		"dots and capitals": {"Pool.1", "maxAge", "DCVIX_POOL_1_MAXAGE"},
		"other letters":     {"büro", "a b", "DCVIX_B_RO_A_B"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var v string
			set := inifile.New("x")
			set.Section(tt.section).String(&v, tt.key, "", "")
			require.NoError(t, set.Load(inifile.Source{Environ: []string{tt.variable + "=a=b"}}))
			assert.Equal(t, "a=b", v)
		})
	}
}

func TestDefaultsAreWrittenAsAPersonWouldWriteThem(t *testing.T) {
	durations := map[time.Duration]string{
		0: "0s", 40 * time.Second: "40s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		12*time.Hour + 5*time.Second: "12h0m5s", 100 * time.Millisecond: "100ms",
	}
	for d, want := range durations {
		var v time.Duration
		set := inifile.New("x")
		set.Section("a").Duration(&v, "k", d, "usage")
		assert.Contains(t, written(t, set), "\n#k = "+want+"\n")
		require.NoError(t, set.Load(inifile.Source{Path: write(t, "[a]\nk = "+want)}))
		assert.Equal(t, d, v)
	}
	sizes := map[int64]string{0: "0", 1000: "1000", 1024: "1KiB", 1536: "1536", 100 << 20: "100MiB", 1 << 30: "1GiB", 1 << 40: "1024GiB"}
	for n, want := range sizes {
		var v int64
		set := inifile.New("x")
		set.Section("a").Size(&v, "k", n, "usage")
		assert.Contains(t, written(t, set), "\n#k = "+want+"\n")
		require.NoError(t, set.Load(inifile.Source{Path: write(t, "[a]\nk = "+want)}))
		assert.Equal(t, n, v)
	}
}

func TestTheDefaultFileTellsWhatMayBeWritten(t *testing.T) {
	set := inifile.New("x")
	s := set.Section("a")
	s.Int(new(int), "port", 8445, "port to listen on").Range(1, 65535)
	s.Duration(new(time.Duration), "ttl", time.Hour, "life of a token").Between(time.Minute, 12*time.Hour)
	s.Enum(new(string), "level", "info", "how much", "info", "debug")
	s.Secret(new(string), "pw", "", "password")
	s.String(new(string), "broker", "", "URL\nof the director").Required("https://d")
	assert.Equal(t, `# Configuration of x.
# Remove the "#" before a key to change it. Comments stand on lines of their own.

[a]

# port to listen on (1 to 65535)
#port = 8445

# life of a token (1m to 12h)
#ttl = 1h

# how much (info, debug)
#level = info

# password; or its file, as pw_file
#pw =

# URL
# of the director
# Required, for example: broker = https://d
#broker =
`, written(t, set))
}

func TestDurationsHaveALeastValueToo(t *testing.T) {
	var ttl time.Duration
	set := inifile.New("x")
	set.Section("a").Duration(&ttl, "ttl", time.Hour, "").Between(time.Minute, 12*time.Hour)
	require.NoError(t, set.Load(inifile.Source{Path: write(t, "[a]\nttl = 1m")}))
	assert.ErrorContains(t, set.Load(inifile.Source{Path: write(t, "[a]\nttl = 59")}), "59s is out of range: write a duration from 1m to 12h")
}

func TestOneSectionCanBeDeclaredFromSeveralPlaces(t *testing.T) {
	set := inifile.New("x")
	assert.Same(t, set.Section("log"), set.Section("log"))
}

func TestServicesLookInTheSystemsPlaceFirst(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Setenv("ProgramData", `C:\ProgramData`)
		assert.Equal(t, `C:\ProgramData\dcvix\Director\dcvix-director.conf`, inifile.Candidates("director")[0])
		return
	}
	assert.Equal(t, "/etc/dcvix-director/dcvix-director.conf", inifile.Candidates("director")[0])
	assert.Equal(t, "/etc/dcvix-agent/dcvix-agent.conf", inifile.Candidates("agent")[0])
}

func written(t *testing.T, set *inifile.Set) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, set.WriteDefault(&b))
	return b.String()
}
