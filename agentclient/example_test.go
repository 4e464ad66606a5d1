package agentclient_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
)

// idle is a host of which nobody measures the load.
type idle struct{}

func (idle) Stats(context.Context) (dcvix.Stats, error) { return dcvix.Stats{Cores: 4}, nil }

// An agent of one's own: give it the director, a folder, and this machine's dcv.
func Example() {
	dcv, err := dcvcli.New(dcvcli.Config{}) // the dcv command of this machine
	if err != nil {
		fmt.Println(err)
		return
	}
	agent, err := agentclient.New(agentclient.Config{
		DirectorURL: "https://director.example:8445",
		StateDir:    "/var/lib/dcvix-agent",
		Hostname:    "ws1.lab.example",
		DCV:         dcv,
		Stats:       idle{},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(agent.Status().State)

	run := func() error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		return agent.Run(ctx) // asks, and works until it is interrupted
	}
	_ = run
	// Output: unenrolled
}
