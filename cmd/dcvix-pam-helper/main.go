// Command dcvix-pam-helper asks PAM about one login, for dcvix-director.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/pamhelpercmd"
)

func main() { os.Exit(pamhelpercmd.Main()) }
