// Command demo runs a whole fleet of one host on this machine: the director, an
// agent and, because there is no DCV here, a fake DCV server. "make run" is this.
//
// Everything listens on the loopback interface alone. Keys, passwords and the
// register stay in one folder; the next run goes on with them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	// Children are told to end when the thread that started them does, so that
	// not even kill -9 of this program leaves one behind.
	runtime.LockOSThread()
	dir := flag.String("dir", ".run", "folder of all state")
	bin := flag.String("bin", "bin", "folder of the programs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal kills
	if err := run(ctx, *dir, *bin); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir, bin string) (err error) {
	site, err := prepare(ctx, dir, bin)
	if err != nil {
		return err
	}
	family := &family{dir: site.dir}
	defer func() { err = errors.Join(err, family.stop()) }()

	fmt.Println("Starting the director …")
	if err := family.start(site.director()); err != nil {
		return err
	}
	admin, err := site.login(ctx, family)
	if err != nil {
		return interrupted(ctx, err)
	}
	fmt.Println("Starting the DCV host ws1 …")
	for _, p := range []program{site.dcvServer(), site.agent()} {
		if err := family.start(p); err != nil {
			return err
		}
	}
	if err := site.enrol(ctx, family, admin); err != nil {
		return interrupted(ctx, err)
	}
	site.explain(os.Stdout)
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping …")
		return nil
	case err := <-family.failed:
		return err
	}
}

// interrupted turns what went wrong because of Ctrl-C into nothing.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// await asks until it is so, a program has failed, or a minute has passed.
func await(ctx context.Context, f *family, what string, so func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("%s: not within a minute, the logs in %s say why", what, f.dir))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := so(ctx)
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-f.failed:
			return err
		case <-tick.C:
		}
	}
}
