package ldap_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	ber "github.com/go-asn1-ber/asn1-ber"

	"github.com/dcvix/dcvix/auth/ldap"
)

// The judge is the library that sends the filter: whatever the name, what it
// sends has the shape that it has for a harmless name, and holds the name itself
// where that stood.
func FuzzNamesDoNotChangeTheFilter(f *testing.F) {
	for _, name := range []string{
		"alice", "*", "a*b", ")(uid=*", "alice)(|(uid=*", `\2a`, `\`, "\x00", "&", "(", ")", "é", "\xff", "%s", "alice)(objectClass=*))(&(uid=x", " ", "#=+,;<>", "~=", ":dn:=",
	} {
		f.Add(name)
	}
	const harmless = "harmless"
	filters := []string{
		ldap.DefaultFilter, "(&(objectClass=person)(|(uid=%s)(mail=%s@example.com)))", "(uid~=%s)",
		"(memberOf:1.2.840.113556.1.4.1941:=%s)", "(&(sAMAccountName=%s)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))", "(!(uid>=%s))",
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" {
			return // refused before any backend; (uid=) is another kind of filter to some
		}
		for _, filter := range filters {
			want, err := goldap.CompileFilter(ldap.FilterFor(filter, harmless))
			if err != nil {
				t.Fatal(err)
			}
			text := ldap.FilterFor(filter, name)
			got, err := goldap.CompileFilter(text)
			if err != nil {
				t.Fatalf("%q does not compile: %v", text, err)
			}
			sameShape(t, want, got, harmless, name)
		}
	})
}

func sameShape(t *testing.T, want, got *ber.Packet, harmless, name string) {
	t.Helper()
	if want.Tag != got.Tag || want.ClassType != got.ClassType || want.TagType != got.TagType || len(want.Children) != len(got.Children) {
		t.Fatalf("name %q changes the shape: tag %d with %d parts became tag %d with %d", name, want.Tag, len(want.Children), got.Tag, len(got.Children))
	}
	if len(want.Children) == 0 {
		if expect := strings.ReplaceAll(want.Data.String(), harmless, name); expect != got.Data.String() {
			t.Fatalf("name %q arrives as %q, not as %q", name, got.Data.String(), expect)
		}
	}
	for i := range want.Children {
		sameShape(t, want.Children[i], got.Children[i], harmless, name)
	}
}

func FuzzGroupNames(f *testing.F) {
	for _, value := range []string{
		"CN=dcv-users,OU=Groups,DC=example,DC=com", `cn=CAD\, Europe,ou=x`, `CN=a\0Ab,OU=x`, "cad", "", "CN=,OU=x", "OU=x", `cn=\ff`, "cn=a+ou=b", "2.5.4.3=#0c03616263", "cn=#04", `\`, "=", "cn=a;cn=b", "CN=\x00",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		name, ok := ldap.GroupName(value)
		if !ok {
			if name != "" {
				t.Fatalf("%q is no group, and yet named %q", value, name)
			}
			return
		}
		if name == "" || len(name) > 4000 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
			t.Fatalf("%q makes the name %q", value, name)
		}
		dn, err := goldap.ParseDN(value)
		if err != nil || len(dn.RDNs) == 0 {
			if name != value {
				t.Fatalf("%q is no DN, and yet became %q", value, name)
			}
			return
		}
		for _, part := range dn.RDNs[0].Attributes {
			if part.Value == name {
				return
			}
		}
		t.Fatalf("%q became %q, which is not in its first part", value, name)
	})
}

// Whatever a server sends as its answers, a login is not let in by them: none of
// the seeds, cut or changed, makes the bind of a person succeed.
func FuzzAnswersOfAServer(f *testing.F) {
	for _, raw := range [][]byte{
		result(1, opBindDone, 49, "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1"),
		result(1, opBindDone, 53, ""),
		{},
		{0x30},
		{0x30, 0x80},
		bytes.Repeat([]byte{0x30, 0x80}, 100), []byte("HTTP/1.1 200 OK\r\n\r\n"),
		entry(1, "cn=x", map[string][]string{"uid": {"x"}}), reference(1, "ldap://x"),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		fakeServer := newFake()
		fakeServer.answer = at(opBind, true, &reply{raw: raw, close: true})
		cfg := fakeConfig(t, "a")
		cfg.Dial, cfg.Logger = fakeServer.pipe, quiet
		b := open(t, cfg)
		_, err := b.Authenticate(t.Context(), good)
		if err == nil && !saysSuccess(raw) {
			t.Fatalf("%q let a person in", raw)
		}
	})
}

// saysSuccess reports whether bytes hold the result 0 in the form of the library
// that reads them, so that the fuzzer may write it.
func saysSuccess(raw []byte) bool {
	p, err := ber.ReadPacket(bytes.NewReader(raw))
	return err == nil && goldap.GetLDAPError(p) == nil
}
