// Command dcvix-launcher logs a person in to a director and opens a desktop in
// the DCV viewer.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/launchercmd"
)

func main() { os.Exit(launchercmd.Main(launchercmd.Options{})) }
