package dcvclitest_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// A test of code that takes a *dcvcli.CLI gives it one on a fake host, and looks
// at the host's state afterwards or makes it misbehave.
func Example() {
	host, err := dcvclitest.New(dcvclitest.Config{Profile: dcvclitest.Windows2025})
	if err != nil {
		panic(err)
	}
	cli, err := dcvcli.New(dcvcli.Config{Runner: host, Platform: dcvclitest.Windows2025.Platform()})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := cli.Create(ctx, dcvcli.CreateOptions{ID: "console", Owner: `LAB\alice`}); err != nil {
		panic(err)
	}
	state, err := host.State()
	fmt.Println(state.Sessions[0].Type, state.Sessions[0].Owner, err)

	err = host.Update(func(s *dcvclitest.State) error {
		s.Faults.Down = true
		return nil
	})
	if err != nil {
		panic(err)
	}
	_, err = cli.Version(ctx)
	fmt.Println(err)
	// Output:
	// console LAB\alice <nil>
	// dcv version: exit status 1: fake dcv: the server cannot be reached
}

// A test of code that must survive a broken host tries every way of being broken,
// or draws one at random.
func ExampleAllFaults() {
	for _, fault := range dcvclitest.AllFaults()[:4] {
		var faults dcvclitest.Faults
		fault.Apply(&faults)
		fmt.Println(fault.Name, faults.Slow)
	}
	// Output:
	// slow 5s
	// hang 0s
	// crash 0s
	// down 0s
}

// A test of a session resolver asks it as a gateway does; anything but the
// documented answer is an error. A [dcvclitest.Gateway] takes the same Resolver.
func ExampleResolver() {
	resolver := dcvclitest.Resolver{URL: "https://192.0.2.1:8445"}
	_, err := resolver.Resolve(context.Background(), "cad-0042", dcvclitest.TransportHTTP, netip.MustParseAddr("198.51.100.24"))
	fmt.Println(err)
	// Output:
	// resolver URL "https://192.0.2.1:8445": gateways take a DNS name, not an address
}
