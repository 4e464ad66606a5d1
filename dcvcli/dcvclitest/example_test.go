package dcvclitest_test

import (
	"context"
	"fmt"

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
