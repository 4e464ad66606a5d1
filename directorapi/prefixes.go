package directorapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix"
)

// ParsePrefixes reads IP addresses and networks (CIDR), such as 10.0.0.7 and
// 2001:db8::/48. Names are refused: they would have to be looked up for every
// request, from a server that decides who is let in.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	all := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		p, err := parsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%.80q is neither an IP address nor a network: write one such as 10.0.0.7 or 10.0.0.0/24, names are not looked up", s)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%.80q is IPv4 written as IPv6: write it as IPv4", s)
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%.80q has bits beyond its network: write %s", s, p.Masked())
	}
	return p, nil
}

// within says whether an address is in one of the networks.
func within(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}

// parseAddress reads an address without a port. IPv4 in IPv6 is IPv4, and zones
// are left out: they say how we reach a peer, not who it is.
func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}

// An endpoint is where viewers are sent. Its zero value is none.
type endpoint struct {
	host dcvix.Hostname // or an IP address
	port int
}

// CheckEndpoint returns an error unless the text is host:port, where the host is a
// name or an IP address, that of IPv6 in brackets.
func CheckEndpoint(s string) error {
	_, err := parseEndpoint(s)
	return err
}

func parseEndpoint(s string) (endpoint, error) {
	if s == "" {
		return endpoint{}, nil
	}
	bad := fmt.Errorf("%.80q is not host:port: write one such as gateway.example:8443", s)
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return endpoint{}, bad
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return endpoint{}, bad
	}
	if addr, ok := parseAddress(host); ok {
		return endpoint{dcvix.Hostname(addr.String()), int(n)}, nil
	}
	name, err := dcvix.ParseHostname(host)
	if err != nil {
		return endpoint{}, bad
	}
	return endpoint{name, int(n)}, nil
}

var prefixForm = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// CheckBasePath returns an error unless the text is "" or a path such as /desktops
// that no path of the API begins with.
func CheckBasePath(s string) error {
	if s == "" || prefixForm.MatchString(s) && path.Clean(s) == s &&
		s != dcvix.PathResolveSession && s != "/v1" && !strings.HasPrefix(s, "/v1/") {
		return nil
	}
	return fmt.Errorf("%.80q is no base path: write one such as /desktops, without a slash at its end and not below /v1", s)
}

// below serves h below a prefix too, so that a reverse proxy need not strip it.
// Agents and DCV servers, which know no prefix, find it without.
func below(prefix string, h http.Handler) http.Handler {
	if prefix == "" {
		return h
	}
	stripped := http.StripPrefix(prefix, h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == prefix: // pages name what they load relative to their folder
			http.Redirect(w, r, prefix+"/", http.StatusPermanentRedirect)
		case strings.HasPrefix(r.URL.Path, prefix+"/"):
			stripped.ServeHTTP(w, r)
		default:
			h.ServeHTTP(w, r)
		}
	})
}
