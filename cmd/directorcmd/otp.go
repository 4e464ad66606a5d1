package directorcmd

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/external"
	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// The values of otp_type.
const (
	otpDisabled    = "disabled"
	otpPrivacyIDEA = "privacyidea"
	otpExternal    = "external"
)

const (
	// pushWait is how long a person has to answer a push message; pages and
	// launchers wait for a minute in all.
	pushWait = 45 * time.Second
	// firstFactorWait is how long the other factor may take besides.
	firstFactorWait = 30 * time.Second
)

// otpConfig is the second factor of every login backend.
type otpConfig struct {
	otpKeys

	pass    string
	realm   string
	apiKey  auth.Secret
	caFile  string
	timeout time.Duration

	caFileKey *inifile.Key
	// old are the keys that the 0.1 generation had in [ldap_auth]. They count for
	// auth_type = ldap where [otp] does not give the same key.
	old otpKeys
}

// otpKeys are the keys that [otp] and [ldap_auth] have in common.
type otpKeys struct {
	kind      string
	url       string
	tlsStrict bool
	command   string
	args      string

	keys []*inifile.Key // in the order of values
}

func (o *otpKeys) declare(s *Section, where string) {
	o.keys = []*inifile.Key{
		s.Enum(&o.kind, "otp_type", otpDisabled, "who checks one-time passwords"+where, otpDisabled, otpPrivacyIDEA, otpExternal),
		s.String(&o.url, "privacyidea_url", "", "address of the privacyIDEA server, such as https://pi.example"+where),
		s.Bool(&o.tlsStrict, "privacyidea_tls_strict", true, "false takes any certificate of that server: passwords can be read on the way"+where),
		s.Program(&o.command, "otp_external_command", "", "program that gets user, password and one-time password as three lines; exit 0 = good, 1 = refused"+where),
		s.String(&o.args, "otp_external_args", "", "its arguments, separated by spaces"+where),
	}
}

// values returns the keys' values as they compare.
func (o *otpKeys) values() []string {
	return []string{o.kind, o.url, strconv.FormatBool(o.tlsStrict), o.command, o.args}
}

func (o *otpConfig) declare(set *inifile.Set) {
	s := set.Section("otp")
	o.otpKeys.declare(s, "")
	s.Enum(&o.pass, "privacyidea_pass", string(privacyidea.PasswordOTP), "what the server gets: the password with the code behind it, or the code alone", string(privacyidea.PasswordOTP), string(privacyidea.OTPOnly))
	s.String(&o.realm, "privacyidea_realm", "", "realm of the users; empty means the server's default realm")
	s.Secret((*string)(&o.apiKey), "privacyidea_api_key", "", "sent as Authorization, where a policy of the server asks for it")
	o.caFileKey = s.Path(&o.caFile, "privacyidea_ca_file", "", "CA certificates in PEM that the server's certificate is checked with; empty means the system's")
	s.Duration(&o.timeout, "otp_timeout", 10*time.Second, "how long one request or one run of the program may take").Between(time.Second, 20*time.Second)
	o.old.declare(set.Section("ldap_auth"), "; better in [otp]")
}

// settle decides which keys count. What [ldap_auth] says counts for ldap alone;
// to say two things at once is refused.
func (o *otpConfig) settle(authType string) error {
	if authType != "ldap" {
		return nil
	}
	mine, old := o.values(), o.old.values()
	for i, key := range o.keys {
		if was := o.old.keys[i]; key.IsSet() && was.IsSet() && mine[i] != old[i] {
			return fmt.Errorf("%s and %s differ: remove the one in [ldap_auth]", key.Where(), was.Where())
		}
	}
	for i, take := range []func(){
		func() { o.kind = o.old.kind }, func() { o.url = o.old.url }, func() { o.tlsStrict = o.old.tlsStrict },
		func() { o.command = o.old.command }, func() { o.args = o.old.args },
	} {
		if o.old.keys[i].IsSet() && !o.keys[i].IsSet() {
			o.keys[i] = o.old.keys[i] // for messages
			take()
		}
	}
	return nil
}

// verifier returns the second factor, or nil when there is none.
func (o *otpConfig) verifier(ctx context.Context, logger *slog.Logger) (auth.Verifier, error) {
	switch o.kind {
	case otpPrivacyIDEA:
		return o.privacyIDEA(ctx, logger)
	case otpExternal:
		if o.command == "" {
			return nil, fmt.Errorf("otp_external_command is missing: add otp_external_command = /path/of/the/program (%s)", o.keys[0].Where())
		}
		return external.New(external.Config{Command: o.command, Args: strings.Fields(o.args), Timeout: o.timeout, Logger: logger})
	}
	return nil, nil //nolint:nilnil // no second factor is what most have
}

func (o *otpConfig) privacyIDEA(ctx context.Context, logger *slog.Logger) (auth.Verifier, error) {
	if o.url == "" {
		return nil, fmt.Errorf("privacyidea_url is missing: add privacyidea_url = https://pi.example (%s)", o.keys[0].Where())
	}
	cas, err := certificatePool(o.caFileKey.Where(), o.caFile)
	if err != nil {
		return nil, err
	}
	if !o.tlsStrict {
		logger.WarnContext(ctx, "the certificate of the privacyIDEA server is not checked: whoever is on the way can read passwords and accept codes; "+
			"set privacyidea_ca_file and privacyidea_tls_strict = true", slog.String("url", o.url))
	}
	v, err := privacyidea.New(privacyidea.Config{
		URL: o.url, Pass: privacyidea.PassMode(o.pass), Realm: o.realm, APIKey: o.apiKey, CAs: cas, Insecure: !o.tlsStrict,
		Timeout: o.timeout, PushWait: pushWait, Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, o.keys[1].Where())
	}
	return v, nil
}

// behind returns the backend with the second factor behind it, if there is one.
func (o *otpConfig) behind(ctx context.Context, backend auth.Authenticator, logger *slog.Logger) (auth.Authenticator, error) {
	v, err := o.verifier(ctx, logger)
	switch {
	case err != nil:
		return nil, fmt.Errorf("one-time passwords: %w", err)
	case v == nil:
		return backend, nil
	}
	return auth.WithOTP(backend, v), nil
}

// mode is what a login form asks for. privacyIDEA asks for a code itself, or
// sends a push message; a program cannot. The external backend gets a code, if
// there is one, and its program decides.
func (o *otpConfig) mode(authType string) dcvix.OTPMode {
	switch {
	case o.kind == otpExternal:
		return dcvix.OTPRequired
	case o.kind == otpPrivacyIDEA, authType == "external":
		return dcvix.OTPOptional
	}
	return dcvix.OTPNever
}

// loginTimeout is how long a login may take in all; 0 means the usual. It stays
// below the two minutes that the server has for an answer.
func (o *otpConfig) loginTimeout() time.Duration {
	switch o.kind {
	case otpPrivacyIDEA:
		return firstFactorWait + 2*o.timeout + pushWait
	case otpExternal:
		return firstFactorWait + o.timeout
	}
	return 0
}
