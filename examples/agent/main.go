// Command agent is an agent of one's own: the engine of package agentclient over
// this machine's dcv command, with figures that it measures itself.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"runtime"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
)

// host measures this machine; yours may ask what watches it anyway.
type host struct{}

// Stats implements [agentclient.Stats].
func (host) Stats(context.Context) (dcvix.Stats, error) {
	return dcvix.Stats{Cores: runtime.NumCPU()}, nil
}

func main() {
	name, err := os.Hostname()
	check(err)
	cfg := agentclient.Config{Stats: host{}, Tags: []string{"example"}}
	flag.StringVar(&cfg.DirectorURL, "director", "https://localhost:8445", "`URL` of the director")
	flag.StringVar(&cfg.CAFingerprint, "ca-fingerprint", "", "`SHA-256` of the director's CA; without it the first one met is trusted")
	flag.StringVar(&cfg.StateDir, "dir", "agent-data", "`folder` of key and certificate")
	flag.StringVar(&cfg.Hostname, "hostname", name, "`name` of this host in the director's policy")
	flag.IntVar(&cfg.AgentPort, "port", agentclient.DefaultAgentPort, "`port` on which the director calls")
	dcv := flag.String("dcv", "", "`path` of the dcv command; empty means where DCV installs it")
	flag.Parse()
	cfg.DCV, err = dcvcli.New(dcvcli.Config{Path: *dcv})
	check(err)
	agent, err := agentclient.New(cfg)
	check(err)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	check(agent.Run(ctx))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
