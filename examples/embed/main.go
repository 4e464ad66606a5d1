// Command embed is a portal that gives its people desktops: it mounts a director
// below /desktops/ of its own mux and lets agents in by a door of their own.
package main

import (
	"context"
	"crypto/subtle"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

func main() {
	portal := flag.String("portal", "127.0.0.1:8080", "`address` for people")
	agents := flag.String("agents", "127.0.0.1:8445", "`address` for agents")
	dir := flag.String("dir", "portal-data", "`folder` of the director; users.json is in policydb below it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	director, err := standalone.Open(ctx, *dir, standalone.Options{Authenticator: auth.AuthenticatorFunc(login)})
	check(err)
	mux := http.NewServeMux()
	mux.Handle("/desktops/", http.StripPrefix("/desktops", director.Users()))
	mux.Handle("/{$}", http.RedirectHandler("/desktops/", http.StatusSeeOther))
	group, ctx := errgroup.WithContext(ctx)
	// A portal that has a certificate serves its mux with that one.
	serve := func(address string, h http.Handler) net.Listener {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		check(err)
		group.Go(func() error { return director.Serve(ctx, l, h) })
		return l
	}
	group.Go(func() error { return director.Run(ctx) })
	log.Printf("people at https://%s/desktops/, agents at https://%s", serve(*portal, mux).Addr(), serve(*agents, director.Agents()).Addr())
	check(group.Wait())
	check(director.Close())
}

// login is how this portal knows its people; yours asks what it has already.
func login(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	if c.Check() != nil || subtle.ConstantTimeCompare([]byte(c.Password), []byte(os.Getenv("PORTAL_PASSWORD"))) != 1 {
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	return auth.Identity{User: dcvix.Username(c.User)}, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
