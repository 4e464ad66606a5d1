package agentcmd_test

import (
	"fmt"
	"os"

	"github.com/dcvix/dcvix/cmd/agentcmd"
)

// A program of one's own around the agent ends with the code that Main returns.
func ExampleMain() {
	code := agentcmd.Main(agentcmd.Options{Args: []string{"start"}, Stderr: os.Stdout})
	fmt.Println("exit code", code)
	// Output:
	// dcvix-agent: "start" on the command line means nothing: see --help
	// exit code 2
}
