// Command dcvix-director is the director of a fleet of Amazon DCV hosts.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

func main() { os.Exit(directorcmd.Main(directorcmd.Options{})) }
