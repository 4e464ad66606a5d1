// Fakehost is a host with Amazon DCV and a person's DCV viewer, for
// demonstrations and end-to-end tests on a machine that has neither, and a
// gateway between them. It is five programs in one:
//
//	fakehost dcv ARG…            the dcv command
//	fakehost serve FLAG…         the DCV server
//	fakehost gateway FLAG…       the DCV Connection Gateway
//	fakehost viewer FLAG… FILE   the DCV viewer
//	fakehost faults FLAG… NAME…  lets the dcv command misbehave
//
// Started under the name dcv or dcvviewer, as through a symbolic link, it is
// that program at once. The command keeps its sessions in the directory that the
// environment variable FAKEDCV_STATE names, and else in the directory "state"
// beside the name it was started under, so that an agent whose dcv_path is
// /run/ws1/dcv and a server started with --state /run/ws1/state are one host. The
// command is run by root or, on a Windows profile, Administrator, unless the
// environment variable FAKEDCV_USER names another account.
//
// Package dcvcli/dcvclitest has what the fake can do, and a library user's tests
// need no more than that package.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

const usage = `usage:
  fakehost dcv ARG...           the dcv command, on the state in $FAKEDCV_STATE or else beside its own name
  fakehost serve FLAG...        the DCV server; -h lists its flags
  fakehost gateway FLAG...      the DCV Connection Gateway; -h lists its flags
  fakehost viewer FLAG... FILE  the DCV viewer on a connection file; -h lists its flags
  fakehost faults FLAG... NAME  lets the dcv command misbehave; -h lists the names
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	program, args := chosen(os.Args)
	code := 2
	switch program {
	case "dcv":
		code = dcv(os.Args[0], args)
	case "serve":
		code = report(os.Stderr, serve(ctx, args))
	case "gateway":
		code = report(os.Stderr, gateway(ctx, args))
	case "viewer":
		code = report(os.Stderr, viewer(ctx, args))
	case "faults":
		code = report(os.Stderr, faults(args))
	default:
		fmt.Fprint(os.Stderr, usage)
	}
	stop()
	os.Exit(code)
}

// chosen returns which program was started and its arguments.
func chosen(argv []string) (program string, args []string) {
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case "dcv":
		return "dcv", argv[1:]
	case "dcvviewer":
		return "viewer", argv[1:]
	}
	if len(argv) < 2 {
		return "", nil
	}
	return argv[1], argv[2:]
}

// report says what went wrong, if anything, and returns the exit status.
func report(w io.Writer, err error) int {
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintf(w, "fakehost: %v\n", err)
	return 1
}

func dcv(self string, args []string) int {
	dir, err := stateDir(self)
	if err != nil {
		return report(os.Stderr, err)
	}
	host, err := dcvclitest.New(dcvclitest.Config{Dir: dir, Caller: os.Getenv("FAKEDCV_USER")})
	if err != nil {
		return report(os.Stderr, err)
	}
	return host.Exec(args, os.Stdout, os.Stderr)
}

// stateDir does not follow links: each link named dcv is a host of its own.
func stateDir(self string) (string, error) {
	if dir := os.Getenv("FAKEDCV_STATE"); dir != "" {
		return dir, nil
	}
	if filepath.Base(self) == self { // found on the PATH
		found, err := exec.LookPath(self)
		if err != nil {
			return "", fmt.Errorf("where is the state? set FAKEDCV_STATE: %w", err)
		}
		self = found
	}
	return filepath.Join(filepath.Dir(self), "state"), nil
}
