package crashtest

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// calls are those that change files, or make changes last. A name that strace
// does not know is passed over.
const calls = "open openat openat2 creat write pwrite64 writev pwritev pwritev2 ftruncate truncate fsync fdatasync sync syncfs " +
	"sync_file_range rename renameat renameat2 unlink unlinkat mkdir mkdirat rmdir link linkat symlink symlinkat mknod mknodat " +
	"fchmod chmod fchmodat fchmodat2 fallocate copy_file_range sendfile splice vmsplice io_uring_setup lseek mmap setxattr fsetxattr"

// A Recording is what programs did to a folder, one after the other. Its methods
// belong to the goroutine of the test.
type Recording struct {
	t      testing.TB
	root   string
	strace string

	mu   sync.Mutex // guards runs
	runs []*run
}

// A run is one program.
type run struct {
	before Tree // nil: what the run before it left
	trace  string
}

// Record begins the recording of a folder, which must exist. It skips the test when
// strace is missing or may not trace, and fails it with CI=true.
func Record(t testing.TB, root string) *Recording {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err == nil {
		var said []byte
		if said, err = exec.CommandContext(t.Context(), strace, "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil { //nolint:gosec // found in PATH
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(said))
		}
	}
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatalf("strace does not work here, and crashes are recorded with it: %v", err)
	case err != nil:
		t.Skipf("strace does not work here, and crashes are recorded with it: %v", err)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		t.Fatal(err)
	}
	return &Recording{t: t, root: root, strace: strace}
}

// Run makes cmd, which is not started yet, run under strace. Whatever changed in
// the folder by other means since the program before is taken for lasting. Options
// go to strace, for instance to have it kill the program at a certain call.
func (r *Recording) Run(cmd *exec.Cmd, options ...string) {
	r.t.Helper()
	before, err := readTree(r.root, ignored)
	if err != nil {
		r.t.Fatal(err)
	}
	r.add(cmd, before, options)
}

// Continue is Run for a program that comes up after another one was killed: what
// that one did not synchronise can still be lost.
func (r *Recording) Continue(cmd *exec.Cmd, options ...string) {
	r.t.Helper()
	r.add(cmd, nil, options)
}

func (r *Recording) add(cmd *exec.Cmd, before Tree, options []string) {
	trace := filepath.Join(r.t.TempDir(), "trace")
	if err := os.WriteFile(trace, nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.runs = append(r.runs, &run{before: before, trace: trace})
	r.mu.Unlock()
	args := []string{
		r.strace, "-f", "-y", "-xx", "-s", "16777216", "-o", trace, "-e", "signal=none",
		"-e", "trace=?" + strings.ReplaceAll(calls, " ", ",?"),
	}
	if len(options) == 0 {
		args = append(args, "--seccomp-bpf") // much faster, but without effect on what is to be killed
	}
	args = append(append(args, options...), "--", cmd.Path)
	r.t.Cleanup(func() { r.end(trace, cmd.Args[len(args)-1]) })
	cmd.Args = append(args, cmd.Args[1:]...)
	cmd.Path = r.strace
	cmd.WaitDelay = time.Second // when strace is killed, the program goes on and keeps its output open
}

// end kills the program of a trace if it outlived its strace.
func (r *Recording) end(trace, program string) {
	pid, err := pidOf(trace)
	if err != nil {
		return // it never ran
	}
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != program {
		return
	}
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may have ended just now
	}
}

// pidOf returns the process that a trace begins with.
func pidOf(trace string) (int, error) {
	text, err := os.ReadFile(trace)
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	return strconv.Atoi(string(first))
}

// ignored says which files are of no interest: the shared memory of SQLite, which
// is made anew, and sockets, which are worth nothing without their process. Those
// do not show in the trace when they are made.
func ignored(file string) bool {
	return strings.HasSuffix(file, "-shm") || strings.HasSuffix(file, ".sock")
}

// umask returns that of this process, which its children have too.
func umask() uint32 {
	status, _ := os.ReadFile("/proc/self/status") // strace is of Linux
	found := regexp.MustCompile(`(?m)^Umask:\s*([0-7]+)`).FindSubmatch(status)
	if found == nil {
		return 0o022
	}
	mask, _ := strconv.ParseUint(string(found[1]), 8, 16) // the pattern lets nothing else through
	return uint32(mask)
}

// Signal sends a signal to the program that runs, and not to strace.
func (r *Recording) Signal(sig os.Signal) {
	r.t.Helper()
	_, trace := r.last()
	pid, err := pidOf(trace)
	if err != nil {
		r.t.Fatalf("the trace does not begin with the number of a process: %v", err)
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Signal(sig)
	}
	if err != nil {
		r.t.Fatalf("signal the program: %v", err)
	}
}

// A Mark is a moment of a recording.
type Mark struct {
	run int
	at  int64
}

// Mark returns the present moment: whatever the program did that can be seen from
// outside by now, such as an answer it gave, has all that it did before on the
// hither side of the mark. That is because strace has written down a call before
// the program goes on. It may be called by any goroutine.
func (r *Recording) Mark() Mark {
	r.t.Helper()
	number, trace := r.last()
	info, err := os.Stat(trace)
	if err != nil {
		r.t.Error(err)
		return Mark{}
	}
	return Mark{run: number, at: info.Size()}
}

// last returns the number and the trace of the newest program.
func (r *Recording) last() (number int, trace string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number = len(r.runs) - 1
	return number, r.runs[number].trace
}

// Before says whether m is earlier than o.
func (m Mark) Before(o Mark) bool { return m.run < o.run || m.run == o.run && m.at < o.at }

// A Moment is one operation of a recording.
type Moment struct {
	Run  int    // the program, counted from 0
	Mark Mark   // when it was done
	Next Mark   // when the operation after it was; a crash in between is a crash at this moment
	Op   string // in words
	Disk *Disk  // after it, until the iteration goes on
	// Full says that the operation after it synchronises, so that as much as ever is
	// not synchronised yet, or that there is none.
	Full bool
}

// Moments goes along the operations. At the end of each run it compares what came
// of them with the folder that the program left, if no other program ran later:
// an operation that was not understood fails the test.
func (r *Recording) Moments() iter.Seq[Moment] {
	return func(yield func(Moment) bool) {
		var disk *Disk
		none := true
		for i, run := range r.runs {
			if run.before != nil {
				var err error
				if disk, err = newDisk(r.root, umask(), run.before); err != nil {
					r.t.Fatal(err)
				}
			}
			ops := r.parse(run)
			for j, op := range ops {
				none = false
				if err := disk.apply(op); err != nil {
					r.t.Fatalf("replay %s: %v", op, err)
				}
				m := Moment{Run: i, Mark: Mark{i, op.End}, Next: Mark{i + 1, 0}, Op: op.String(), Disk: disk, Full: true}
				if j+1 < len(ops) {
					m.Next, m.Full = Mark{i, ops[j+1].End}, ops[j+1].kind == opSync
				}
				if !yield(m) {
					return
				}
			}
		}
		if none {
			r.t.Fatal("the programs changed nothing in the folder, or were not traced")
		}
		r.compare(disk)
	}
}

func (r *Recording) parse(run *run) []Op {
	f, err := os.Open(run.trace)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was only read
	ops, err := parse(f, r.root, ignored)
	if err != nil {
		r.t.Fatal(err)
	}
	return ops
}

// compare fails the test when the folder is not what was replayed.
func (r *Recording) compare(disk *Disk) {
	want, err := readTree(r.root, ignored)
	if err != nil {
		r.t.Fatal(err)
	}
	got := disk.Killed()
	if want.Hash() == got.Hash() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if f, ok := got[name]; !ok || !bytes.Equal(f.Data, want[name].Data) || f.Mode != want[name].Mode {
			r.t.Errorf("%s was replayed as %v with %d bytes and is %v with %d", name, f.Mode, len(f.Data), want[name].Mode, len(want[name].Data))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			r.t.Errorf("%s was replayed and is not there", name)
		}
	}
	r.t.FailNow()
}

// Long says whether the long form of the tests is asked for.
func Long() bool { return os.Getenv("DCVIX_LONG") == "1" }
