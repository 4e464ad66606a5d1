package ldap_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/ldap"
)

var good = auth.Credentials{User: "alice", Password: alicePass}

func TestWhoGetsInAndWhoDoesNot(t *testing.T) {
	s := slapd(t)
	tests := map[string]struct {
		user     string
		password auth.Secret    // alicePass when empty
		who      dcvix.Username // empty: refused
		reason   string         // in the log
		change   func(*ldap.Config)
	}{
		"by sAMAccountName":                {user: "alice", who: "alice"},
		"in another case":                  {user: "ALICE", who: "alice"},
		"by another attribute":             {user: "alice-by-uid", who: "alice"},
		"a uid alone":                      {user: "dave", who: "dave"},
		"a uid of several":                 {user: "FSmith", who: "fsmith"},
		"by an attribute of the site":      {user: "dave", who: "Dave", change: func(c *ldap.Config) { c.UserAttribute = "cn" }},
		"an attribute in another case":     {user: "alice", who: "alice@example.test", change: func(c *ldap.Config) { c.UserAttribute = "USERPRINCIPALNAME" }},
		"no name attribute: as typed":      {user: "Nameless", who: "Nameless", change: func(c *ldap.Config) { c.Filter = "(cn=%s)" }},
		"the service account itself":       {user: "svc", password: servicePass, who: "svc", change: func(c *ldap.Config) { c.Filter = "(cn=%s)" }},
		"an anonymous search":              {user: "zoe", who: "zoe", change: func(c *ldap.Config) { c.BindUser, c.BaseDN = "", "ou=public,"+baseDN }},
		"a wrong password":                 {user: "alice", password: "guess", reason: "wrong password"},
		"the password of the service":      {user: "alice", password: servicePass, reason: "wrong password"},
		"nobody":                           {user: "mallory", reason: "no entry of this name"},
		"disabled in Active Directory":     {user: "bob", reason: "the account is disabled"},
		"disabled, and a wrong password":   {user: "bob", password: "guess", reason: "wrong password"},
		"locked by OpenLDAP":               {user: "carol", reason: "locked"},
		"a password that an admin has set": {user: "heidi", reason: "the password must be changed first"},
		"two entries of one name":          {user: "twin", reason: "several entries of this name"},
		"everybody":                        {user: "*", reason: "no entry of this name"},
		"an entry without a password":      {user: "grace", reason: "wrong password"},
		"the attribute is missing":         {user: "dave", reason: "the entry has no mail, which ldap_user_attribute names", change: func(c *ldap.Config) { c.UserAttribute = "mail" }},
		"several names, none typed":        {user: "frank@example.test", reason: "several values of uid", change: func(c *ldap.Config) { c.Filter = "(mail=%s)" }},
		"outside of the base":              {user: "zoe", reason: "no entry of this name", change: func(c *ldap.Config) { c.BaseDN = "ou=people," + baseDN }},
		"a filter that many fit":           {user: "alice", reason: "several entries", change: func(c *ldap.Config) { c.Filter = "(|(uid=%s)(uid=*))" }},
		"a filter without disabled accounts": {user: "bob", reason: "no entry", change: func(c *ldap.Config) {
			c.Filter = "(&(sAMAccountName=%s)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := new(record)
			cfg := s.config(t)
			cfg.Logger = logTo(t, log)
			if tt.change != nil {
				tt.change(&cfg)
			}
			if tt.password == "" {
				tt.password = alicePass
			}

			got, err := open(t, cfg).Authenticate(t.Context(), auth.Credentials{User: tt.user, Password: tt.password})

			if tt.who != "" {
				require.NoError(t, err)
				assert.Equal(t, tt.who, got.User)
				return
			}
			require.Equal(t, auth.ErrInvalidCredentials, err, "bare, so that all refusals are alike")
			assert.Contains(t, log.String(), "login refused")
			assert.Contains(t, log.String(), tt.reason)
			assert.Contains(t, log.String(), "user="+tt.user)
		})
	}
}

func TestGroupsAreTheNamesOfTheDirectory(t *testing.T) {
	s := slapd(t)
	tests := map[string]struct {
		attribute string
		want      []string
	}{
		"the CN of a DN": {"memberOf", []string{"CAD, Europe", "dcv-users"}},
		"plain values":   {"employeeType", []string{"cad", "gpu"}},
		"not asked for":  {"", nil},
		"nobody has it":  {"description", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := s.config(t)
			cfg.GroupAttribute = tt.attribute

			got, err := open(t, cfg).Authenticate(t.Context(), good)

			require.NoError(t, err)
			slices.Sort(got.Groups)
			assert.Equal(t, tt.want, got.Groups)
		})
	}
}

func TestGroupsThatDoNotFitAreCounted(t *testing.T) {
	s, log := slapd(t), new(record)
	cfg := s.config(t)
	cfg.Logger = logTo(t, log)

	got, err := open(t, cfg).Authenticate(t.Context(), auth.Credentials{User: "erin", Password: alicePass})

	require.NoError(t, err)
	assert.Len(t, got.Groups, 64)
	assert.Contains(t, log.String(), "groups left out")
	assert.Contains(t, log.String(), "kept=64 left_out=6")
}

func TestForeignGroupNamesAreBounded(t *testing.T) {
	long := strings.Repeat("g", 1500)
	tests := map[string]struct {
		attribute string
		values    []string
		want      []string
		log       string
	}{
		"four thousand bytes":           {"memberOf", []string{"CN=" + long + "a", "CN=" + long + "b", "CN=" + long + "c"}, []string{long + "a", long + "b"}, "kept=2 left_out=1"},
		"nothing small slips in behind": {"memberOf", []string{"CN=" + long, "CN=" + long + "b", "CN=" + long + "c", "CN=x"}, []string{long, long + "b"}, "kept=2 left_out=2"},
		"one name twice":                {"memberOf", []string{"CN=cad,OU=a", "cn=cad,OU=b"}, []string{"cad"}, ""},
		"a part of a long list":         {"memberOf;range=0-1499", []string{"CN=cad"}, []string{"cad"}, ""},
		"a line break":                  {"memberOf", []string{"CN=a\\0aadmins", "CN=b"}, []string{"b"}, "groups without a usable name"},
		"bytes that are not UTF-8":      {"memberOf", []string{"CN=\\ff", "CN=b"}, []string{"b"}, "groups without a usable name"},
		"a DN without a CN":             {"memberOf", []string{"ipaUniqueID=1,cn=hbac", "CN=b"}, []string{"b"}, "first=\"ipaUniqueID=1,cn=hbac\""},
		"an empty value":                {"memberOf", []string{"", "CN=b"}, []string{"b"}, "groups without a usable name"},
		"an escaped comma":              {"memberOf", []string{`CN=a\,CN=admins,OU=x`}, []string{"a,CN=admins"}, ""},
		"a name of several parts":       {"memberOf", []string{"OU=x+CN=cad,OU=y"}, []string{"cad"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log, f := new(record), newFake()
			f.attrs[tt.attribute] = tt.values
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger = logTo(t, log)

			got, err := open(t, cfg).Authenticate(t.Context(), good)

			require.NoError(t, err)
			assert.Equal(t, tt.want, got.Groups)
			if tt.log == "" {
				assert.NotContains(t, log.String(), "left out")
			} else {
				assert.Contains(t, log.String(), tt.log)
			}
		})
	}
}

func TestTheReasonsOfActiveDirectoryReachTheLogAlone(t *testing.T) {
	tests := map[string]string{
		"525": "no such user", "52e": "wrong password", "530": "may not log in at this time", "531": "may not log in on this computer",
		"532": "the password has expired", "533": "the account is disabled", "701": "the account has expired",
		"773": "the password must be changed first", "775": "the account is locked", "52f": "refused with code 52f",
	}
	for code, reason := range tests {
		t.Run(code, func(t *testing.T) {
			log, f := new(record), newFake()
			f.answer = func(r request) *reply {
				if !r.isUser() {
					return nil
				}
				return &reply{code: 49, text: "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data " + code + ", v4563\x00"}
			}
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger = logTo(t, log)

			_, err := open(t, cfg).Authenticate(t.Context(), good)

			assert.Equal(t, auth.ErrInvalidCredentials, err)
			assert.Contains(t, log.String(), reason)
			assert.NotContains(t, log.String(), "DSID")
		})
	}
}

func TestRefusalsAreAlikeInWhatTheyCost(t *testing.T) {
	refuse := func(r request) *reply {
		if r.isUser() {
			return &reply{code: 49}
		}
		return nil
	}
	tests := map[string]func(*fake){
		"a wrong password": func(f *fake) { f.answer = refuse },
		"nobody":           func(f *fake) { f.dn, f.answer = "-", refuse },
		"disabled":         func(f *fake) { f.attrs["userAccountControl"] = []string{"514"} },
		"two entries": func(f *fake) {
			f.answer = func(r request) *reply {
				if r.op == opSearch {
					return &reply{code: 4}
				}
				return refuse(r)
			}
		},
		"no name":                        func(f *fake) { f.attrs["uid"] = []string{"a\x00b"} },
		"an entry of nobody that exists": func(f *fake) { f.dn = "-" },
		"flags that are no number":       func(f *fake) { f.attrs["userAccountControl"] = []string{"off"} },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			change(f)
			b := open(t, fakeConfig(t, f.serve(t)))

			_, err := b.Authenticate(t.Context(), good)

			assert.Equal(t, auth.ErrInvalidCredentials, err)
			saw := f.saw()
			require.Len(t, saw, 3)
			assert.Equal(t, "search for 2 at most", saw[1])
			assert.True(t, strings.HasPrefix(saw[2], "bind cn="), saw[2])
			assert.Equal(t, 2, f.connections())
		})
	}
}

func TestAnEmptyPasswordNeverReachesTheServer(t *testing.T) {
	f := newFake()
	b := open(t, fakeConfig(t, f.serve(t)))

	_, err := b.Authenticate(t.Context(), auth.Credentials{User: "alice"})

	assert.Equal(t, auth.ErrInvalidCredentials, err)
	assert.Zero(t, f.connections())
}

func TestAnEntryWithoutANameIsNeverBoundAs(t *testing.T) {
	f := newFake()
	f.dn = "" // a bind without a name is anonymous and passes
	b := open(t, fakeConfig(t, f.serve(t)))

	_, err := b.Authenticate(t.Context(), good)

	assert.Equal(t, auth.ErrInvalidCredentials, err)
	assert.NotContains(t, f.saw(), "bind ")
}

func TestFaultsOfTheConfigurationNameTheKey(t *testing.T) {
	s := slapd(t)
	tests := map[string]struct {
		change func(*ldap.Config)
		want   string
	}{
		"a wrong service password":         {func(c *ldap.Config) { c.BindPassword = "stale-tulip" }, "mend ldap_bind_password, or ldap_bind_user"},
		"a service account that is no DN":  {func(c *ldap.Config) { c.BindUser = "svc" }, "does not know the service account: mend ldap_bind_user"},
		"a base that does not exist":       {func(c *ldap.Config) { c.BaseDN = "dc=elsewhere,dc=test" }, "mend ldap_base_dn"},
		"a base below ours that is absent": {func(c *ldap.Config) { c.BaseDN = "ou=none," + baseDN }, "mend ldap_base_dn"},
		"an account that sees nothing":     {func(c *ldap.Config) { c.BindUser = "cn=blind," + baseDN }, "or ldap_bind_user may not see it: mend ldap_base_dn"},
		"nothing listens":                  {func(c *ldap.Config) { c.Addresses = []string{"ldaps://127.0.0.1:" + freePort()} }, "cannot be reached: check that it runs, and ldap_address"},
		"a host that has no address":       {func(c *ldap.Config) { c.Addresses = []string{"ldaps://dc1.invalid"} }, "ldap_address"},
		"a CA that is not ours":            {func(c *ldap.Config) { c.RootCAs = newAuthority("other").pool() }, "ldap_ca_file"},
		"a CA that is not the system's":    {func(c *ldap.Config) { c.RootCAs = nil }, "ldap_ca_file"},
		"another CA, with StartTLS": {func(c *ldap.Config) {
			c.Addresses, c.StartTLS, c.RootCAs = []string{s.plain}, true, newAuthority("other").pool()
		}, "ldap_ca_file"},
		"another name": {func(c *ldap.Config) { c.Addresses = []string{strings.Replace(s.tls, "localhost", "127.0.0.1", 1)} }, "in ldap_address"},
		"another name, with StartTLS": {func(c *ldap.Config) {
			c.Addresses, c.StartTLS = []string{strings.Replace(s.plain, "localhost", "127.0.0.1", 1)}, true
		}, "in ldap_address"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := new(record)
			cfg := s.config(t)
			cfg.Logger = logTo(t, log)
			tt.change(&cfg)
			b := open(t, cfg)

			_, err := b.Authenticate(t.Context(), good)

			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.NotErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Contains(t, log.String(), tt.want)
			for _, secret := range []string{alicePass, servicePass, "stale-tulip"} {
				assert.NotContains(t, log.String()+err.Error(), secret)
			}
			err = b.CheckHealth(t.Context())
			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAnswersThatAreNoVerdictAreNoRefusal(t *testing.T) {
	tests := map[string]struct {
		op     ber.Tag
		user   bool
		code   int64
		text   string
		change func(*ldap.Config)
		want   string
	}{
		"the service is unknown to AD":  {op: opBind, code: 49, text: "x, data 525, v1", want: "mend ldap_bind_user"},
		"the service's password is old": {op: opBind, code: 49, text: "x, data 532, v1", want: "(the password has expired): mend ldap_bind_password"},
		"no anonymous searches":         {op: opBind, code: 48, change: func(c *ldap.Config) { c.BindUser = "" }, want: "set ldap_bind_user and ldap_bind_password"},
		"the service must encrypt":      {op: opBind, code: 8, want: "set ldap_starttls"},
		"people must encrypt":           {op: opBind, user: true, code: 13, want: "set ldap_starttls"},
		"the search wants a bind":       {op: opSearch, code: 1, text: "000004DC: LdapErr: a successful bind must be completed", want: "set ldap_bind_user"},
		"the search is not allowed":     {op: opSearch, code: 50, want: "set ldap_bind_user"},
		"the search takes too long":     {op: opSearch, code: 3, want: "ldap_filter indexed"},
		"the base is elsewhere":         {op: opSearch, code: 10, want: "mend ldap_base_dn"},
		"a busy server":                 {op: opBind, user: true, code: 51, want: "look into its log"},
		"a server that is going down":   {op: opSearch, code: 52, want: "look into its log"},
		"a bind that is elsewhere":      {op: opBind, user: true, code: 10, want: "look into its log"},
		"a code that nobody knows":      {op: opBind, user: true, code: 120, want: "look into its log"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log, f := new(record), newFake()
			f.answer = func(r request) *reply {
				if r.op == tt.op && (r.op != opBind || (r.isUser() && r.dn != "") == tt.user) {
					return &reply{code: tt.code, text: tt.text}
				}
				return nil
			}
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger = logTo(t, log)
			if tt.change != nil {
				tt.change(&cfg)
			}

			_, err := open(t, cfg).Authenticate(t.Context(), good)

			assert.ErrorIs(t, err, auth.ErrUnavailable)
			assert.False(t, errors.Is(err, auth.ErrInvalidCredentials))
			assert.Contains(t, log.String(), tt.want)
		})
	}
}

func TestAServerThatRepeatsPasswordsIsNotRepeated(t *testing.T) {
	for name, op := range map[string]bool{"of the person": true, "of the service": false} {
		t.Run(name, func(t *testing.T) {
			log, f := new(record), newFake()
			f.answer = func(r request) *reply {
				if r.op == opBind && r.isUser() == op {
					return &reply{code: 80, text: strings.Repeat("x", 221) + "your password " + r.password + " and again " + r.password}
				}
				return nil
			}
			cfg := fakeConfig(t, f.serve(t))
			cfg.Logger = logTo(t, log)

			_, err := open(t, cfg).Authenticate(t.Context(), good)

			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.Contains(t, log.String(), "your password [redacted] and again")
			assert.NotContains(t, log.String()+err.Error(), "tulip", "a part of both passwords")
		})
	}
}

func TestAnAnonymousSearchShowsNoPassword(t *testing.T) {
	f := newFake()
	var shown []string
	f.answer = func(r request) *reply {
		if r.op == opBind && r.dn == "" {
			shown = append(shown, r.password)
		}
		return nil
	}
	cfg := fakeConfig(t, f.serve(t))
	cfg.BindUser = ""

	_, err := open(t, cfg).Authenticate(t.Context(), good)

	require.NoError(t, err)
	assert.Equal(t, []string{""}, shown)
}

func TestReferralsAreNotFollowed(t *testing.T) {
	trap := newFake()
	url := "ldap://" + trap.serve(t) + "/dc=evil"
	f := newFake()
	f.dn = "-"
	f.answer = func(r request) *reply {
		switch {
		case r.op == opSearch:
			return &reply{raw: append(reference(2, url), result(2, opDone, 0, "")...)}
		case r.isUser():
			return &reply{code: 49}
		}
		return nil
	}
	b := open(t, fakeConfig(t, f.serve(t)))

	_, err := b.Authenticate(t.Context(), good)

	assert.Equal(t, auth.ErrInvalidCredentials, err)
	assert.Zero(t, trap.connections())
}
