package ldap

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

const (
	// attrAccountControl holds flags of an account of Active Directory, of which
	// accountDisabled is one ([MS-ADTS] 2.2.16).
	attrAccountControl = "userAccountControl"
	accountDisabled    = 2

	// As many groups as a token carries.
	maxGroups     = 64
	maxGroupBytes = 4000
)

// identity returns who an entry is, or the reason why nobody may be that.
func (b *Backend) identity(ctx context.Context, entry *goldap.Entry, typed string) (who auth.Identity, reason string) {
	if flags := values(entry, attrAccountControl); len(flags) > 0 {
		n, err := strconv.ParseInt(flags[0], 10, 64)
		if err != nil {
			return auth.Identity{}, "userAccountControl of the entry is no number"
		}
		if n&accountDisabled != 0 {
			return auth.Identity{}, "the account is disabled"
		}
	}
	name, reason := b.canonical(entry, typed)
	if reason != "" {
		return auth.Identity{}, reason
	}
	return auth.Identity{User: name, Groups: b.groups(ctx, entry, name)}, ""
}

// nameAttributes are the attributes that may hold the canonical name.
func (b *Backend) nameAttributes() []string {
	if b.cfg.UserAttribute != "" {
		return []string{b.cfg.UserAttribute}
	}
	return []string{"sAMAccountName", "uid"}
}

// canonical returns the name by which the director knows the person. Of several
// values only the one that was typed will do: which comes first is chance.
func (b *Backend) canonical(entry *goldap.Entry, typed string) (name dcvix.Username, reason string) {
	name = dcvix.Username(typed)
	found := false
	for _, attribute := range b.nameAttributes() {
		names := values(entry, attribute)
		if len(names) == 0 {
			continue
		}
		i := 0
		if len(names) > 1 {
			i = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, typed) })
		}
		if i < 0 {
			return "", fmt.Sprintf("the entry has several values of %s, none of which was typed: set ldap_user_attribute to an attribute with one value", attribute)
		}
		name, found = dcvix.Username(names[i]), true
		break
	}
	if !found && b.cfg.UserAttribute != "" {
		return "", "the entry has no " + b.cfg.UserAttribute + ", which ldap_user_attribute names, or ldap_bind_user may not read it"
	}
	if err := name.Validate(); err != nil {
		return "", "the name of the entry is no user name: " + err.Error()
	}
	return name, ""
}

// groups returns the names of the groups of an entry, each once, in the order of
// the directory. What does not fit is logged.
func (b *Backend) groups(ctx context.Context, entry *goldap.Entry, user dcvix.Username) []string {
	if b.cfg.GroupAttribute == "" {
		return nil
	}
	var groups, unusable []string
	size, left := 0, 0
	full := false
	for _, value := range values(entry, b.cfg.GroupAttribute) {
		name, ok := groupName(value)
		switch {
		case !ok:
			unusable = append(unusable, value)
		case slices.Contains(groups, name):
		case full || len(groups) == maxGroups || size+len(name) > maxGroupBytes:
			full = true
			left++
		default:
			groups, size = append(groups, name), size+len(name)
		}
	}
	if left > 0 {
		b.cfg.Logger.WarnContext(ctx, "groups left out, a login has at most 64 and 4000 bytes of them",
			slog.String("user", string(user)), slog.Int("kept", len(groups)), slog.Int("left_out", left))
	}
	if len(unusable) > 0 {
		b.cfg.Logger.WarnContext(ctx, "groups without a usable name left out", slog.String("user", string(user)),
			slog.Int("left_out", len(unusable)), slog.String("first", cut(unusable[0])))
	}
	return groups
}

// groupName returns the CN of a DN. A value that is no DN is a name itself. A DN
// whose first part holds no CN names no group that a policy could mean.
func groupName(value string) (name string, ok bool) {
	name = value
	if dn, err := goldap.ParseDN(value); err == nil && len(dn.RDNs) > 0 {
		name = ""
		for _, part := range dn.RDNs[0].Attributes {
			if strings.EqualFold(part.Type, "cn") || part.Type == "2.5.4.3" {
				name = part.Value
			}
		}
	}
	if name == "" || len(name) > maxGroupBytes || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", false
	}
	return name, true
}

// values returns the values of an attribute whatever its case and options: of a
// long list Active Directory returns the first part as "memberOf;range=0-1499".
func values(entry *goldap.Entry, attribute string) []string {
	var all []string
	for _, a := range entry.Attributes {
		if name, _, _ := strings.Cut(a.Name, ";"); strings.EqualFold(name, attribute) {
			all = append(all, a.Values...)
		}
	}
	return all
}
