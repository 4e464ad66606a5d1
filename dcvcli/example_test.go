package dcvcli_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

func Example() {
	host, err := dcvclitest.New(dcvclitest.Config{}) // in place of a machine that runs DCV
	if err != nil {
		panic(err)
	}
	cli, err := dcvcli.New(dcvcli.Config{Runner: host, Platform: "linux"})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	want := dcvcli.CreateOptions{ID: "cad-42", Type: dcvcli.Virtual, Owner: "alice"}
	fmt.Println("created:", cli.Create(ctx, want))
	fmt.Println("taken:", errors.Is(cli.Create(ctx, want), dcvcli.ErrExists))
	sessions, err := cli.List(ctx)
	for _, s := range sessions {
		fmt.Println(s.ID, s.Type, s.Owner, s.NumOfConnections)
	}
	fmt.Println(err, cli.Close(ctx, "cad-42"))
	// Output:
	// created: <nil>
	// taken: true
	// cad-42 virtual alice 0
	// <nil> <nil>
}
