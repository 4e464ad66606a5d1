package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix/auth"
)

// A fault is why a login could not be decided.
type fault struct {
	text string // for the operator: one sentence that names what to mend
	down bool   // another server may do better
	err  error
}

// Error implements error.
func (f *fault) Error() string { return f.text }

// Unwrap returns what was seen.
func (f *fault) Unwrap() error { return f.err }

// logFault tells the operator. A server that repeats passwords in what it says is
// not repeated.
func (b *Backend) logFault(ctx context.Context, s *server, f *fault, password auth.Secret) {
	text := f.err.Error()
	for _, secret := range []auth.Secret{password, b.cfg.BindPassword} {
		if secret != "" {
			text = strings.ReplaceAll(text, string(secret), secret.String())
		}
	}
	b.cfg.Logger.ErrorContext(ctx, "the directory cannot be asked", slog.String("server", s.url),
		slog.String("problem", f.text), slog.String("err", cut(text)))
}

// cut bounds what others wrote.
func cut(text string) string {
	const most = 300
	if len(text) > most {
		text = text[:most] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}

// dialFault says why a connection was not made or not encrypted.
func (b *Backend) dialFault(s *server, err error) *fault {
	f := &fault{down: true, err: err}
	said := err.Error() // the library keeps the words of a TLS error and drops its type
	bare, answered := errors.AsType[*goldap.Error](err)
	switch {
	case errors.Is(err, errTimeout):
		f.text = fmt.Sprintf("%s does not answer within %s: check that it runs, the network, and ldap_address", s.url, b.cfg.Timeout)
	case errors.Is(err, context.DeadlineExceeded):
		f.text = s.url + " does not answer before the time for a login is over: check that it runs, the network, and ldap_address, and lower ldap_timeout"
	case strings.Contains(said, "unknown authority"):
		f.text = fmt.Sprintf("the certificate of %s is signed by a CA that is not known here: put the certificate of that CA into a file and name it in ldap_ca_file", s.url)
	case strings.Contains(said, "certificate is valid for"), strings.Contains(said, "certificate is not valid for any names"), strings.Contains(said, "doesn't contain any IP SANs"):
		f.text = fmt.Sprintf("the certificate of %s is for another name: write a name that is in the certificate in ldap_address", s.url)
	case strings.Contains(said, "x509:"), strings.Contains(said, "tls:"):
		f.text = fmt.Sprintf("no secure connection to %s comes about: mend its certificate, or its TLS to be 1.2 or later", s.url)
	case answered && bare.ResultCode < goldap.ErrorNetwork:
		f.text = s.url + " refuses StartTLS: have it switched on there, or use ldaps:// in ldap_address"
	default:
		f.text = s.url + " cannot be reached: check that it runs, and ldap_address"
	}
	return f
}

// serviceFault says why the service account could not bind.
func (b *Backend) serviceFault(s *server, err error) *fault {
	refused := refusal(err)
	switch {
	case refused == "":
		return b.bindFault(s, err)
	case b.cfg.BindUser == "":
		return &fault{err: err, text: s.url + " does not let itself be searched anonymously: set ldap_bind_user and ldap_bind_password"}
	case goldap.IsErrorWithCode(err, goldap.LDAPResultInvalidDNSyntax), goldap.IsErrorWithCode(err, goldap.LDAPResultNoSuchObject), subcode(err) == "525":
		return &fault{err: err, text: s.url + " does not know the service account: mend ldap_bind_user"}
	}
	return &fault{err: err, text: fmt.Sprintf("%s refuses the service account (%s): mend ldap_bind_password, or ldap_bind_user if that names another account", s.url, refused)}
}

// bindFault says why a bind could not be decided.
func (b *Backend) bindFault(s *server, err error) *fault {
	if goldap.IsErrorAnyOf(err, goldap.LDAPResultStrongAuthRequired, goldap.LDAPResultConfidentialityRequired) {
		return &fault{err: err, text: s.url + " takes passwords over encrypted connections alone: set ldap_starttls, or use ldaps:// in ldap_address"}
	}
	return b.lostFault(s, err)
}

// searchFault says why a search did not work.
func (b *Backend) searchFault(s *server, err error) *fault {
	bare, ok := errors.AsType[*goldap.Error](err)
	if !ok {
		return b.lostFault(s, err)
	}
	f := &fault{err: err}
	switch bare.ResultCode {
	case goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax, goldap.LDAPResultReferral:
		f.text = fmt.Sprintf("%s does not hold %q, or ldap_bind_user may not see it: mend ldap_base_dn", s.url, b.cfg.BaseDN)
	case goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded:
		f.text = s.url + " gives up the search: have the attributes of ldap_filter indexed, or make ldap_base_dn narrower"
	case goldap.LDAPResultOperationsError, goldap.LDAPResultInsufficientAccessRights, goldap.LDAPResultStrongAuthRequired,
		goldap.LDAPResultUnwillingToPerform, goldap.LDAPResultInappropriateAuthentication, goldap.LDAPResultConfidentialityRequired:
		f.text = s.url + " does not let the service account search: set ldap_bind_user to an account that may read people's entries"
	default:
		return b.lostFault(s, err)
	}
	return f
}

// lostFault is for servers that stopped to answer, or answer that they cannot.
func (b *Backend) lostFault(s *server, err error) *fault {
	text := s.url + " broke off: look into its log"
	switch {
	case errors.Is(err, errTimeout):
		text = fmt.Sprintf("%s does not answer within %s: look into its log, or raise ldap_timeout", s.url, b.cfg.Timeout)
	case errors.Is(err, context.DeadlineExceeded):
		text = s.url + " does not answer before the time for a login is over: look into its log, and lower ldap_timeout"
	}
	return &fault{down: true, err: err, text: text}
}

// refusal says in words why a bind was refused, or returns "" when the error is
// none that a person's password could mend.
func refusal(err error) string {
	bare, ok := errors.AsType[*goldap.Error](err)
	if !ok {
		return ""
	}
	switch bare.ResultCode {
	case goldap.LDAPResultInvalidCredentials:
		return words(subcode(err))
	case goldap.LDAPResultNoSuchObject, goldap.LDAPResultInvalidDNSyntax:
		return "no such entry"
	case goldap.LDAPResultInappropriateAuthentication:
		return "the entry has no password"
	case goldap.LDAPResultConstraintViolation, goldap.LDAPResultUnwillingToPerform, goldap.LDAPResultInsufficientAccessRights:
		return "the directory does not let this account bind, it may be locked or inactive"
	}
	return ""
}

// subcode returns the code that Active Directory adds to invalidCredentials, as in
// "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data
// 52e, v1db1": a Windows error in hex ([MS-ERREF] 2.2). It returns "" when there
// is none.
func subcode(err error) string {
	bare, ok := errors.AsType[*goldap.Error](err)
	if !ok || bare.Err == nil {
		return ""
	}
	_, rest, _ := strings.Cut(bare.Err.Error(), ", data ")
	code, _, found := strings.Cut(rest, ",")
	if !found || len(code) > 8 || strings.Trim(code, "0123456789abcdefABCDEF") != "" {
		return ""
	}
	return strings.ToLower(code)
}

// words says what a subcode means.
func words(code string) string {
	switch code {
	case "":
		return "wrong password, or an account that is locked or expired"
	case "525":
		return "no such user"
	case "52e":
		return "wrong password"
	case "530":
		return "the account may not log in at this time"
	case "531":
		return "the account may not log in on this computer"
	case "532":
		return "the password has expired"
	case "533":
		return "the account is disabled"
	case "701":
		return "the account has expired"
	case "773":
		return "the password must be changed first"
	case "775":
		return "the account is locked"
	}
	return "refused with code " + code
}
