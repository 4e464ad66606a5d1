package directorapi

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// maxHops is how many proxies a request may have come through. Of more, the last
// ones count.
const maxHops = 32

// proxies are those who may say where a request comes from.
type proxies []netip.Prefix

// address returns where a request comes from, for the throttle, the audit, the log
// and the limits: the peer, or what a proxy in front says.
func (p proxies) address(r *http.Request) string {
	if a, err := p.origin(r); err == nil && a.IsValid() {
		return a.String()
	}
	return echo.ExtractIPDirect()(r)
}

var errTwoOrigins = errors.New("X-Forwarded-For and Forwarded name different addresses")

// origin returns the address a request comes from, an invalid one when the peer has
// none. When the peer is one of the proxies, that is the last address that the
// proxies added to X-Forwarded-For or Forwarded (RFC 7239) and that is no proxy
// itself: what is before it, anybody may have written.
//
// A proxy extends one of the two headers and passes on the other as it came. We
// cannot know which, so two that differ are an error.
func (p proxies) origin(r *http.Request) (netip.Addr, error) {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // invalid when it has none
	from := peer.Addr().Unmap().WithZone("")
	if !within(p, from) {
		return from, nil
	}
	common, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	switch {
	case len(standard) == 0:
		return p.last(from, common, parseNode), nil
	case len(common) == 0:
		return p.last(from, standard, parseForwarded), nil
	}
	one, other := p.last(from, common, parseNode), p.last(from, standard, parseForwarded)
	if one != other {
		return netip.Addr{}, errTwoOrigins
	}
	return one, nil
}

// last goes back along what proxies added, from the peer on, to the first address
// that is no proxy. What is no address ends it at the hop that passed it on.
func (p proxies) last(hop netip.Addr, lines []string, parse func(string) (netip.Addr, bool)) netip.Addr {
	hops := 0
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			comma := strings.LastIndexByte(rest, ',')
			element := strings.Trim(rest[comma+1:], " \t")
			rest, more = rest[:max(comma, 0)], comma >= 0
			if element == "" {
				continue
			}
			said, ok := parse(element)
			if hops++; !ok || hops > maxHops {
				return hop
			}
			if hop = said; !within(p, hop) {
				return hop
			}
		}
	}
	return hop
}

// parseForwarded reads the for parameter of an element of Forwarded.
func parseForwarded(element string) (netip.Addr, bool) {
	node, found := "", false
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		if found {
			return netip.Addr{}, false
		}
		node, found = strings.Trim(value, " \t"), true
	}
	if quoted, ok := strings.CutPrefix(node, `"`); ok {
		node, found = strings.CutSuffix(quoted, `"`)
	}
	if !found {
		return netip.Addr{}, false
	}
	return parseNode(node)
}

// parseNode reads an address with or without a port, IPv6 with or without brackets.
func parseNode(s string) (netip.Addr, bool) {
	host, port := s, ""
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		var closed bool
		if host, port, closed = strings.Cut(inner, "]"); !closed || port != "" && port[0] != ':' || !strings.Contains(host, ":") {
			return netip.Addr{}, false
		}
		port = strings.TrimPrefix(port, ":")
	} else if strings.Count(s, ":") == 1 {
		host, port, _ = strings.Cut(s, ":")
	}
	if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
		return netip.Addr{}, false
	}
	return parseAddress(host)
}
