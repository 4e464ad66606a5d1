package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// faults lets the dcv command of a host misbehave in the named ways from now on,
// and in no other.
func faults(args []string) error {
	known := map[string]func(*dcvclitest.Faults){}
	var names []string
	for _, fault := range dcvclitest.AllFaults() {
		known[fault.Name] = fault.Apply
		names = append(names, fault.Name)
	}
	flags := flag.NewFlagSet("fakehost faults", flag.ContinueOnError)
	state := flags.String("state", "", "directory of the sessions, shared with the dcv command (required)")
	flags.Usage = func() {
		_, _ = fmt.Fprintf(flags.Output(), "usage: fakehost faults --state DIRECTORY [NAME...]\nwithout a name the host is healthy again; names are\n%s\n",
			strings.Join(names, " "))
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *state == "" {
		return errors.New("faults needs --state DIRECTORY")
	}
	var wanted dcvclitest.Faults
	for _, name := range flags.Args() {
		apply, ok := known[name]
		if !ok {
			return fmt.Errorf("fault %.40q is not known, but %s", name, strings.Join(names, ", "))
		}
		apply(&wanted)
	}
	host, err := dcvclitest.New(dcvclitest.Config{Dir: *state})
	if err != nil {
		return err
	}
	return host.Update(func(s *dcvclitest.State) error {
		s.Faults = wanted
		return nil
	})
}
