package pamhelpercmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guard keeps what this process will know to itself: no core dump, no look from
// outside into its memory, and its standard input and output for nobody but
// itself. It returns these two; modules and the programs they start get /dev/null.
func guard() (in, out *os.File, err error) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, nil, fmt.Errorf("memory cannot be kept from others: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return nil, nil, fmt.Errorf("core dumps cannot be turned off: %w", err)
	}
	// What modules start and detach becomes a child of this process, see end.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, nil, fmt.Errorf("children cannot be kept: %w", err)
	}
	if in, err = take(0, "request"); err != nil {
		return nil, nil, err
	}
	if out, err = take(1, "answer"); err != nil {
		return nil, nil, err
	}
	return in, out, nil
}

// take moves a descriptor to a place that children do not inherit and leaves
// /dev/null in its own.
func take(fd int, name string) (*os.File, error) {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("standard input or output is missing: %w", err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup3(null, fd, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(moved), name), unix.Close(null)
}

// end ends this process and everything that modules have started, also what went
// to a session of its own, as the scripts of pam_exec do: it cannot be reached
// through the process group.
func end() {
	for range 1000 {
		children := children()
		if len(children) == 0 {
			break
		}
		for _, pid := range children {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
		}
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	_ = unix.Kill(os.Getpid(), unix.SIGKILL) // not by an exit, at which modules could act
	syscall.Exit(1)
}

// children returns the children of all threads (proc_pid_task_children(5)).
func children() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children") // the pattern is right
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
