package standalone_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// A folder and a login backend make a director. The Example of the root package
// goes on from here: it mounts one in a portal and runs it.
func Example() {
	dir, err := os.MkdirTemp("", "director")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	director, err := standalone.Open(context.Background(), dir, standalone.Options{
		Authenticator: authtest.Static{Passwords: map[dcvix.Username]auth.Secret{"alice": "looking glass"}},
		Names:         []string{"desktops.example"}, // what agents and launchers call it
		Logger:        slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = director.Close() }()
	fmt.Println(director.CA().Certificate().Subject)
	fmt.Println(ca.CheckKeyFile(dir + "/" + standalone.TokenKeyFile))
	// Output:
	// CN=dcvix CA
	// <nil>
}
