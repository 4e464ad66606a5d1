package directorcmd_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// A director with a login backend of your own: the section [badge_auth] gets the
// backend's keys, and auth_type = badge chooses it. A real main ends with
// os.Exit(directorcmd.Main(...)); the program in examples/customauth is one.
func ExampleMain() {
	backends := directorcmd.Backends()
	backends["badge"] = func(s *directorcmd.Section) directorcmd.BackendOpener {
		var reader string
		s.String(&reader, "reader", "", "where the card reader is")
		return func(context.Context, *slog.Logger) (auth.Authenticator, error) {
			return nil, errors.New("reader is empty: write the device of the card reader")
		}
	}
	code := directorcmd.Main(directorcmd.Options{
		Backends: backends,
		Args:     []string{},
		Environ:  []string{"DCVIX_DIRECTOR_AUTH_TYPE=badge", "DCVIX_LOG_LEVEL=error"},
		Stderr:   os.Stdout,
	})
	fmt.Println("exit code", code)
	// Output:
	// dcvix-director: [badge_auth]: reader is empty: write the device of the card reader
	// exit code 2
}
