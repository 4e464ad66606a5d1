// Command fleet is a whole fleet of agents in one process, to see what a director
// does under it and how large a machine it needs. "make fleet" is this.
//
//	fleet -bin bin -agents 10000 -sessions 20000 -duration 5m
//
// The agents are light but real to the director: each has a key and a certificate
// of its own, which it asks for and an admin approves, a TLS connection that it
// keeps and reports over, and an answer when the director calls. People log in,
// open, enter and close sessions all the while, and some of the agents misbehave:
// they hang, answer 500 or garbage, fall silent, or are slow.
//
// At the end the program says what the director used, how fast it answered, and
// whether its view is that of the fleet. It ends with 1 when the view is another,
// or when any answer was wrong.
//
// Without -director it starts a dcvix-director of its own, with the folder -dir or
// one that it removes at the end. With -director it uses one that runs on this
// machine: the agents' names are below localhost. That director has to know the
// admin -admin and people named fleet-0000, fleet-0001 and so on, who may use
// ALLOW_CUSTOM, all with the password in -password-file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	runtime.LockOSThread() // the director is told to end when the thread that started it does
	opts, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "fleet: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	if err := run(ctx, opts, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "fleet: %v\n", err)
		os.Exit(1)
	}
}

// options say how large the fleet is and what it does.
type options struct {
	agents, people, sessions int
	interval                 time.Duration // between reports
	life                     time.Duration // of a session
	duration                 time.Duration // of the measurement
	misbehave                percent

	bin, dir string // of a director of our own

	director, caFile, tokenFile, passwordFile, admin string // of another one
	pid                                              int
}

// A percent is a share, written as 5% or 5.
type percent float64

// String implements [flag.Value].
func (p *percent) String() string { return strconv.FormatFloat(float64(*p), 'g', -1, 64) + "%" }

// Set implements [flag.Value].
func (p *percent) Set(s string) error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || v < 0 || v > 100 {
		return errors.New("give 0% to 100%")
	}
	*p = percent(v)
	return nil
}

func parse(args []string) (options, error) {
	o := options{misbehave: 5}
	f := flag.NewFlagSet("fleet", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.agents, "agents", 1000, "how many agents")
	f.DurationVar(&o.interval, "interval", 30*time.Second, "between an agent's reports, in whole seconds")
	f.DurationVar(&o.duration, "duration", 2*time.Minute, "how long is measured, after all agents are enrolled and have reported")
	f.IntVar(&o.sessions, "sessions", -1, "how many sessions there are at a time; two for each agent when not given")
	f.DurationVar(&o.life, "life", time.Hour, "how long a session lives")
	f.IntVar(&o.people, "people", 200, "how many people log in and have these sessions")
	f.Var(&o.misbehave, "misbehave", "share of agents that misbehave")
	f.StringVar(&o.bin, "bin", "bin", "folder of dcvix-director, to start one")
	f.StringVar(&o.dir, "dir", "", "folder of that director's state and log; a temporary one when not given")
	f.StringVar(&o.director, "director", "", "URL of a director on this machine, instead of starting one")
	f.StringVar(&o.caFile, "ca-file", "", "that director's CA certificate")
	f.StringVar(&o.tokenFile, "token-file", "", "file with that director's registration token")
	f.StringVar(&o.passwordFile, "password-file", "", "file with the password of the admin and the people there")
	f.StringVar(&o.admin, "admin", "fleet-admin", "who approves the agents there")
	f.IntVar(&o.pid, "pid", 0, "process id of that director, whose CPU and memory are then shown")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(os.Stderr)
			f.PrintDefaults()
		}
		return o, err
	}
	if o.sessions < 0 {
		o.sessions = 2 * o.agents
	}
	return o, o.check()
}

func (o *options) check() error {
	o.people = min(o.people, o.agents)
	switch {
	case o.agents < 1 || o.agents > 99_999:
		return errors.New("-agents is 1 to 99999")
	case o.people < 1 || o.people > 9_999:
		return errors.New("-people is 1 to 9999")
	case o.interval < time.Second || o.interval%time.Second != 0:
		return errors.New("-interval is a whole number of seconds")
	case o.life < time.Second || o.duration < time.Second:
		return errors.New("-life and -duration are at least 1s")
	case o.sessions > 2*o.agents:
		return fmt.Errorf("-sessions is at most %d, two for each agent", 2*o.agents)
	case o.director != "" && (o.caFile == "" || o.passwordFile == ""):
		return errors.New("-director needs -ca-file and -password-file")
	}
	return nil
}
