package ca_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/ca"
)

// A CA is made at the first Open and found again at the next.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "dcvix-ca")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the example alone

	made, err := ca.Open(dir, ca.Config{})
	if err != nil {
		log.Fatal(err)
	}
	found, err := ca.Open(dir, ca.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ca.FingerprintOf(made.Certificate()) == ca.FingerprintOf(found.Certificate()))
	// Output: true
}

// The agent makes a key and asks; the names are those that the CA knows.
func ExampleAuthority_SignAgent() {
	dir, err := os.MkdirTemp("", "dcvix-ca")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // of the example alone

	key, err := ca.OpenKey(filepath.Join(dir, "agent.key"))
	if err != nil {
		log.Fatal(err)
	}
	der, err := ca.NewCSR(key, ca.Identity{CommonName: "dcvix-agent-1", DNSNames: []string{"director.lab"}})
	if err != nil {
		log.Fatal(err)
	}

	authority, err := ca.Open(dir, ca.Config{})
	if err != nil {
		log.Fatal(err)
	}
	csr, err := ca.ParseCSR(der)
	if err != nil {
		log.Fatal(err)
	}
	chain, err := authority.SignAgent(csr, ca.Identity{CommonName: "dcvix-agent-1", DNSNames: []string{"ws1.lab"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(chain[0].Subject.CommonName, chain[0].DNSNames)
	// Output: dcvix-agent-1 [ws1.lab]
}
