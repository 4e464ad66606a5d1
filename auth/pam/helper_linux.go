package pam

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

// grace is what a helper has to end its modules and itself when it is told to,
// before it is killed with its process group.
const grace = time.Second

// findHelper returns the path of a helper that nobody but root and the user of
// this process could have changed.
func findHelper(path string) (string, error) {
	places := []string{path}
	if path == "" {
		places = nil
		if self, err := os.Executable(); err == nil {
			places = append(places, filepath.Join(filepath.Dir(self), HelperName))
		}
		places = append(places, "/usr/libexec/dcvix/"+HelperName, "/usr/lib/dcvix/"+HelperName)
	}
	for _, place := range places {
		found, err := filepath.Abs(place)
		if err == nil {
			found, err = filepath.EvalSymlinks(found)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("the PAM helper %s cannot be used: %w", place, err)
		}
		return found, checkTrust(found)
	}
	return "", fmt.Errorf("the PAM helper is missing, there is no %s: install it there, or say where it is (pam_helper)", strings.Join(places, ", no "))
}

// checkTrust returns an error when somebody else could put another program in
// the place of that one. The path has no links in it.
func checkTrust(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the PAM helper cannot be looked at: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("the PAM helper %s is no program that can be run: chmod 755 it, or say where the right one is (pam_helper)", path)
	}
	for place := path; ; place = filepath.Dir(place) {
		if info, err = os.Stat(place); err != nil {
			return fmt.Errorf("the PAM helper cannot be looked at: %w", err)
		}
		owner := int(info.Sys().(*syscall.Stat_t).Uid) //nolint:forcetypeassert // so on Linux
		sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
		switch {
		case owner != 0 && owner != os.Geteuid():
			return fmt.Errorf("the PAM helper gets passwords, and %s belongs to another user (id %d): give it to root (chown root)", place, owner)
		case info.Mode()&0o022 != 0 && !sticky:
			return fmt.Errorf("the PAM helper gets passwords, and others can write to %s: chmod go-w it", place)
		case place == filepath.Dir(place):
			return nil
		}
	}
}

// A helper is a helper that runs.
type helper struct {
	cmd      *exec.Cmd
	requests *os.File // its standard input; the end of it tells it to stop
	answers  *os.File // its standard output
}

// run starts a helper, hands it the request and returns its answer. Nothing of
// it is left when run returns.
func (b *Backend) run(ctx context.Context, req conversation.Request) (conversation.Answer, error) {
	line, err := conversation.Line(req, conversation.MaxRequest)
	if err != nil {
		return conversation.Answer{}, err
	}
	h, err := b.start(ctx, req.Check)
	if err != nil {
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper cannot be started: %w", auth.ErrUnavailable, err)
	}
	defer h.close()
	_, _ = h.requests.Write(line) // a pipe takes more than a line; a helper that has ended is found below
	text, _ := io.ReadAll(io.LimitReader(h.answers, conversation.MaxAnswer+1))
	answer, err := conversation.ParseAnswer(text)
	ended := h.wait(err != nil)
	switch {
	case ctx.Err() != nil:
		return conversation.Answer{}, fmt.Errorf("%w: no answer of PAM within %v, or nobody waits for it: %w", auth.ErrUnavailable, b.cfg.Timeout, context.Cause(ctx))
	case err != nil && req.Check:
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper %s cannot be used: %w (%s): %.256q", auth.ErrUnavailable, b.helper, err, h.cmd.ProcessState, text)
	case err != nil:
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper: %w (%s): a module of the service %s may have crashed", auth.ErrUnavailable, err, h.cmd.ProcessState, b.cfg.Service)
	case ended != nil:
		return conversation.Answer{}, fmt.Errorf("%w: the PAM helper answered and then failed: %w: a module of the service %s may have crashed", auth.ErrUnavailable, ended, b.cfg.Service)
	}
	return answer, nil
}

// start starts a helper with nothing of this process's environment. What it or
// a module writes to standard error is dropped, since a crash shows registers and
// these may hold a password; in a check there is none, and it is kept.
func (b *Backend) start(ctx context.Context, check bool) (*helper, error) {
	stdin, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = stdin.Close() }() // the child has its own
	answers, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, requests.Close())
	}
	defer func() { _ = stdout.Close() }()
	h := &helper{cmd: exec.CommandContext(ctx, b.helper), requests: requests, answers: answers} //nolint:gosec // checkTrust has seen it
	h.cmd.Dir = "/"
	h.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "GOTRACEBACK=none", "GOMAXPROCS=2"}
	h.cmd.Stdin, h.cmd.Stdout = stdin, stdout
	if check {
		h.cmd.Stderr = stdout
	}
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.cmd.Cancel = h.stop
	if err := h.cmd.Start(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// stop tells the helper to end what its modules have started and itself. Whether
// or not it does, run hears no more of it after the time of grace.
func (h *helper) stop() error {
	return errors.Join(h.requests.Close(), h.answers.SetReadDeadline(time.Now().Add(grace)))
}

// killGroup kills the helper and what is in its group. The process id is its own
// until wait has seen its end.
func (h *helper) killGroup() { _ = syscall.Kill(-h.cmd.Process.Pid, syscall.SIGKILL) }

// wait waits for the end of a helper that has said what it had to say; one that
// said it wrongly, or does not end, is killed.
func (h *helper) wait(failed bool) error {
	if failed {
		h.killGroup()
	}
	kill := time.AfterFunc(grace, h.killGroup)
	defer kill.Stop()
	return h.cmd.Wait()
}

func (h *helper) close() {
	_ = h.requests.Close() // stop may have closed it
	_ = h.answers.Close()
}
