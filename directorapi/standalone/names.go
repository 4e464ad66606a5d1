package standalone

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// A Machine is how a director finds out what its machine is called. Where a
// function is nil the system is asked. They are never called at the same time.
type Machine struct {
	// Names returns the host names; nil means the name of the host and what the
	// resolver makes of it. With an error, what it returns counts nevertheless, and
	// what it returned before is still believed.
	Names func(context.Context) ([]string, error)
	// Addresses returns the addresses; nil means those of the network interfaces,
	// without those that exist on one link alone. With an error, what it returned
	// before is still believed.
	Addresses func() ([]net.IP, error)
}

// forgetAfter is how long a name or an address that is no longer found stays the
// director's: an interface or a name server that is away for a while must not
// take names from the certificate by which agents know the director.
const forgetAfter = 7 * 24 * time.Hour

// ownNames are the names and addresses of a director. Look and remember are for
// one goroutine; identity is safe for concurrent use.
type ownNames struct {
	machine Machine
	further []string // what the operator named

	names, addresses []string             // found last
	unsure           bool                 // the last look-up of names was without an answer
	found            map[string]time.Time // when each was found last; their monotonic part counts
	current          atomic.Pointer[ca.Identity]
}

func newOwnNames(machine Machine, further []string) *ownNames {
	if machine.Names == nil {
		machine.Names = systemNames
	}
	if machine.Addresses == nil {
		machine.Addresses = systemAddresses
	}
	n := &ownNames{machine: machine, further: further, found: make(map[string]time.Time)}
	n.update()
	return n
}

// lookUp asks the machine for its addresses, and for its names if asked to, if the
// last answer was none, or if the addresses are others, as then the names often
// are too. It says whether the identity is another one.
func (n *ownNames) lookUp(ctx context.Context, names bool) bool {
	before := n.addresses
	if ips, err := n.machine.Addresses(); err == nil {
		n.addresses = nil
		for _, ip := range ips {
			n.addresses = append(n.addresses, ip.String())
		}
	}
	if names || n.unsure || !slices.Equal(before, n.addresses) {
		answer, err := n.machine.Names(ctx)
		n.unsure = err != nil
		if n.unsure {
			answer = append(answer, n.names...)
		}
		n.names = nil
		for _, name := range answer {
			if name = clean(name); name != "" && !slices.Contains(n.names, name) {
				n.names = append(n.names, name)
			}
		}
	}
	return n.update()
}

// remember takes in names of before this start, when the machine did not say what
// its names are now.
func (n *ownNames) remember(names []string) {
	if n.unsure {
		n.names = append(n.names, names...)
		n.update()
	}
}

// update makes the identity of what was found last and what was not long ago.
func (n *ownNames) update() bool {
	now := time.Now()
	for _, name := range slices.Concat(n.names, n.addresses) {
		n.found[name] = now
	}
	maps.DeleteFunc(n.found, func(_ string, at time.Time) bool { return now.Sub(at) >= forgetAfter })
	id := identityOf(append(slices.Collect(maps.Keys(n.found)), n.further...))
	old := n.current.Swap(&id)
	return old == nil || !slices.Equal(namesIn(id), namesIn(*old))
}

func (n *ownNames) identity() ca.Identity { return *n.current.Load() }

// Identity returns what a director's certificate says: the name that agents
// expect, this machine's names and addresses, localhost, and the further names
// and addresses given.
func Identity(ctx context.Context, further []string) ca.Identity {
	n := newOwnNames(Machine{}, further)
	n.lookUp(ctx, true)
	return n.identity()
}

// identityOf sorts names and addresses, so that the certificate changes with them
// alone and not with their order.
func identityOf(names []string) ca.Identity {
	id := ca.Identity{CommonName: dcvix.DirectorCommonName}
	for _, name := range append(names, "localhost", "127.0.0.1", "::1") {
		if ip := net.ParseIP(name); ip != nil {
			if !slices.ContainsFunc(id.IPs, ip.Equal) {
				id.IPs = append(id.IPs, ip)
			}
		} else if name = clean(name); name != "" && !slices.Contains(id.DNSNames, name) {
			id.DNSNames = append(id.DNSNames, name)
		}
	}
	slices.Sort(id.DNSNames)
	slices.SortFunc(id.IPs, func(a, b net.IP) int { return strings.Compare(a.String(), b.String()) })
	return id
}

func clean(name string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
}

// namesIn returns names and addresses in one list.
func namesIn(id ca.Identity) []string {
	list := slices.Clone(id.DNSNames)
	for _, ip := range id.IPs {
		list = append(list, ip.String())
	}
	return list
}

// systemNames returns the name of the host, and with its domain as the resolver
// knows it, what hostname -f prints. A resolver that says that there is none has
// answered; any other error of it is no answer.
func systemNames(ctx context.Context) ([]string, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("ask for the name of this host: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	name, err := net.DefaultResolver.LookupCNAME(ctx, host)
	if fault, ok := errors.AsType[*net.DNSError](err); ok && fault.IsNotFound {
		return []string{host}, nil
	}
	if err != nil {
		return []string{host}, fmt.Errorf("look up the full name of %s: %w", host, err)
	}
	return []string{host, name}, nil
}

// systemAddresses returns the addresses of this machine without those that exist
// on one link alone, which no name server gives.
func systemAddresses() ([]net.IP, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("ask for the addresses of this host: %w", err)
	}
	var found []net.IP
	for _, a := range all {
		if ipNet, ok := a.(*net.IPNet); ok && !ipNet.IP.IsLinkLocalUnicast() {
			found = append(found, ipNet.IP)
		}
	}
	return found, nil
}
