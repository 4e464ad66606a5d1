package agenthttp_test

import (
	"crypto/tls"
	"fmt"
	"log"
	"os"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session/agenthttp"
)

// The director presents its own certificate and trusts agents that its CA signed.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "dcvix")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the example alone
	authority, err := ca.Open(dir, ca.Config{})
	if err != nil {
		log.Fatal(err)
	}
	caller, err := agenthttp.New(agenthttp.Config{TLS: &tls.Config{RootCAs: authority.Pool()}})
	if err != nil {
		log.Fatal(err)
	}
	defer caller.Close()
	fmt.Println("ready")
	// Output: ready
}
