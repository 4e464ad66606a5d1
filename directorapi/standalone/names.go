package standalone

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// Identity returns what a director's certificate says: the name that agents
// expect, this machine's names and addresses, localhost, and the further names
// and addresses given.
func Identity(ctx context.Context, further []string) ca.Identity {
	id := ca.Identity{CommonName: dcvix.DirectorCommonName, DNSNames: []string{"localhost"}}
	add := func(name string) {
		if ip := net.ParseIP(name); ip != nil {
			if !slices.ContainsFunc(id.IPs, ip.Equal) {
				id.IPs = append(id.IPs, ip)
			}
			return
		}
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if name != "" && !slices.Contains(id.DNSNames, name) {
			id.DNSNames = append(id.DNSNames, name)
		}
	}
	for _, name := range further {
		add(name)
	}
	if host, err := os.Hostname(); err == nil {
		add(host)
		add(qualified(ctx, host))
	}
	for _, ip := range addresses() {
		add(ip)
	}
	// An order of its own, so that the certificate changes with the names alone.
	slices.Sort(id.DNSNames)
	slices.SortFunc(id.IPs, func(a, b net.IP) int { return strings.Compare(a.String(), b.String()) })
	return id
}

// qualified returns the name with its domain as the resolver knows it, what
// hostname -f prints, or "".
func qualified(ctx context.Context, host string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	name, err := net.DefaultResolver.LookupCNAME(ctx, host)
	if err != nil {
		return ""
	}
	return name
}

// addresses returns the addresses of this machine, loopback included. Without
// those that exist on one link alone, which no name server gives.
func addresses() []string {
	found := []string{"127.0.0.1", "::1"}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return found
	}
	for _, a := range all {
		if ipNet, ok := a.(*net.IPNet); ok && !ipNet.IP.IsLinkLocalUnicast() {
			found = append(found, ipNet.IP.String())
		}
	}
	return found
}
