// Package pamhelpercmd is the program dcvix-pam-helper: it reads one login from
// its standard input, asks PAM and writes what PAM said (package
// auth/pam/conversation), then ends. Package auth/pam starts one for each login.
//
// It is a process of its own because PAM modules are foreign C code: one that
// crashes takes this process with it and not the director, which is also built
// without a C library for that reason.
package pamhelpercmd

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

const usage = `dcvix-pam-helper asks PAM about one login, for dcvix-director with auth_type = pam.
The director starts it, or systemd does as root on a socket: then with the name of the
one PAM service that it may ask. By hand it can only tell its --version.
`

// Main runs the program and returns its exit code: 0 when there was an answer,
// whichever, 1 when it could not be given, 2 when the program was started wrongly.
func Main() int {
	var only string // service
	switch words := os.Args[1:]; {
	case len(words) == 1 && (words[0] == "--version" || words[0] == "-version"):
		fmt.Println("dcvix-pam-helper", dcvix.Version)
		return 0
	case len(words) == 1 && words[0] != "" && words[0][0] != '-':
		only = words[0]
	case len(words) > 0:
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	in, out, err := guard()
	if err != nil {
		fmt.Fprintln(os.Stderr, "dcvix-pam-helper:", err)
		return 1
	}
	req, err := conversation.ReadRequest(in)
	answer := conversation.Answer{Result: conversation.BadRequest}
	if err == nil {
		err = allowed(req, only)
	}
	if err != nil {
		answer.Detail = err.Error()
	} else {
		var ending sync.Mutex // held for good by an end that has begun
		go func() {
			_, _ = io.Copy(io.Discard, in) // until the director gives up or is no more
			ending.Lock()
			end()
		}()
		answer = ask(req)
		ending.Lock() // what end kills may set a module free: this process must not exit before it is done
	}
	answer.Version = conversation.Version
	line, err := conversation.Line(answer, conversation.MaxAnswer)
	if err != nil {
		return 1
	}
	if _, err := out.Write(line); err != nil {
		return 1
	}
	return 0
}

// allowed returns an error for a request that a helper which runs as another user
// must not follow: of any other service than its own, or of services in a folder of
// the caller's, which could name modules of the caller's.
func allowed(req conversation.Request, only string) error {
	if only != "" && (req.Service != only || req.ServiceDir != "") {
		return fmt.Errorf("the helper behind the socket asks the PAM service %s alone: set pam_service_name = %[1]s, or change ExecStart= of its unit", only)
	}
	return nil
}
