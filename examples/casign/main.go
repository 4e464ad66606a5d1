// Command casign signs a certificate request with the CA of a folder, for a
// service of the site that agents or scripts are to trust as they trust the
// director:
//
//	casign -dir /var/lib/dcvix-director web.lab.example < web.csr > web.crt
package main

import (
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/dcvix/dcvix/ca"
)

func main() {
	dir := flag.String("dir", "ca", "`folder` of ca.key and ca.pem; both are made when there is neither")
	flag.Parse()
	if err := sign(*dir, flag.Args(), os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "casign:", err)
		os.Exit(1)
	}
}

// sign gives the holder of the request's key the given names, whatever names it
// asks for.
func sign(dir string, names []string, in io.Reader, out, notes io.Writer) error {
	if len(names) == 0 {
		return errors.New("whom is it for? give the names as arguments")
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return errors.New("no certificate request in PEM on standard input")
	}
	request, err := ca.ParseCSR(block.Bytes)
	if err != nil {
		return err
	}
	authority, err := ca.Open(dir, ca.Config{})
	if err != nil {
		return err
	}
	chain, err := authority.SignServer(request.PublicKey(), ca.Identity{CommonName: names[0], DNSNames: names})
	if err != nil {
		return err
	}
	if _, err := out.Write(ca.EncodePEM(chain...)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(notes, "CA           %s\ncertificate  %s\n", ca.FingerprintOf(authority.Certificate()), ca.FingerprintOf(chain[0]))
	return err
}
