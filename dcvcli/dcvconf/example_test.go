package dcvconf_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

// A program shows what it would change, and changes it.
func Example() {
	dir, err := os.MkdirTemp("", "dcv")
	check(err)
	defer os.RemoveAll(dir) //nolint:errcheck // an example
	path := filepath.Join(dir, "dcv.conf")
	check(os.WriteFile(path, []byte("[security]\n#no-tls-strict=false\n"), 0o600))

	settings, err := dcvconf.Open(path)
	check(err)
	settings.Set("security", "auth-token-verifier", dcvconf.Text("https://director.lab:8445/v1/user/authtokenverify"))
	for _, c := range settings.Changes() {
		fmt.Println(c.Section, c.Key, *c.After)
	}
	check(settings.Save())
	// Output: security auth-token-verifier "https://director.lab:8445/v1/user/authtokenverify"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
