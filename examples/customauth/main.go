// Command customauth is dcvix-director with one more value of auth_type: "site"
// asks a login service of the site's own, which site.go does.
package main

import (
	"os"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

func main() {
	backends := directorcmd.Backends()
	backends["site"] = siteBackend
	os.Exit(directorcmd.Main(directorcmd.Options{Backends: backends}))
}
