// Command dcvix-agent runs on a DCV host: it reports to the director and starts
// and closes sessions when the director asks.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/agentcmd"
)

func main() { os.Exit(agentcmd.Main(agentcmd.Options{})) }
