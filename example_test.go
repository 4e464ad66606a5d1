package dcvix_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// A portal gives its people desktops: it mounts a director below a prefix of its
// own mux, logs people in by its own means, and lets agents in by a door of
// their own, for they show certificates and know no prefix. The program in
// examples/embed is the same with flags, signals and TLS.
func Example() {
	dir, err := os.MkdirTemp("", "director")
	check(err)
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	director, err := standalone.Open(ctx, dir, standalone.Options{
		Authenticator: auth.AuthenticatorFunc(login),
		Logger:        slog.New(slog.DiscardHandler), // nil means slog.Default()
	})
	check(err)
	door, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") // ":8445" for agents in the field
	check(err)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return director.Run(ctx) })
	group.Go(func() error { return director.Serve(ctx, door, director.Agents()) })

	mux := http.NewServeMux()
	mux.Handle("/desktops/", http.StripPrefix("/desktops", director.Users()))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the portal\n") })
	portal := httptest.NewTLSServer(mux)
	defer portal.Close()

	alice, err := client.New(client.Config{
		URL: portal.URL + "/desktops",
		TLS: portal.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	check(err)
	health, err := alice.Health(ctx)
	fmt.Println(health.Status, err)
	fmt.Println(alice.Login(ctx, dcvix.LoginRequest{UserID: "alice", Password: "looking glass"}))
	fmt.Println(alice.Login(ctx, dcvix.LoginRequest{UserID: "alice", Password: "wonderland"}))
	alice.Close()

	stop()
	check(group.Wait())
	check(director.Close())
	// Output:
	// healthy <nil>
	// The user name, the password or the code is wrong.
	// <nil>
}

// login is how this portal knows its people.
func login(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	if c.User != "alice" || c.Password != "wonderland" {
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	return auth.Identity{User: "alice"}, nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
