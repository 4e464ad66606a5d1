package ldap

import (
	"errors"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

// checkFilter refuses a filter into which no name fits.
func checkFilter(filter string) error {
	if !strings.Contains(filter, "%s") {
		return fmt.Errorf("ldap_filter %q has no %%s, and would find the same person for every name: "+
			"write %%s where the name belongs, such as %s", filter, DefaultFilter)
	}
	for rest := filter; ; {
		i := strings.Index(rest, "%s")
		if i < 0 {
			break
		}
		item := rest[strings.LastIndexAny(rest[:i], "()")+1 : i]
		if !strings.Contains(item, "=") {
			return fmt.Errorf("ldap_filter %q has %%s in a place that is not the value of an attribute: write it behind a =, such as %s", filter, DefaultFilter)
		}
		rest = rest[:i] + rest[i+len("%s"):]
	}
	if _, err := goldap.CompileFilter(filterFor(filter, "*()\\\x00é")); err != nil {
		if bare, ok := errors.AsType[*goldap.Error](err); ok {
			err = bare.Err
		}
		return fmt.Errorf("ldap_filter %q is no filter, look at its parentheses and write one such as %s: %w", filter, DefaultFilter, err)
	}
	return nil
}

// filterFor puts a name into a filter. Whatever the name, the filter keeps its
// structure: what has a meaning in a filter is escaped (RFC 4515, 3).
func filterFor(filter, name string) string {
	return strings.ReplaceAll(filter, "%s", goldap.EscapeFilter(name))
}
