package crashtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hexed writes every string and path of a trace as strace -xx does: what stands
// between ' and ' here.
func hexed(trace string) string {
	var b strings.Builder
	for i, part := range strings.Split(trace, "'") {
		if i%2 == 0 {
			b.WriteString(part)
			continue
		}
		for _, c := range []byte(part) {
			b.WriteString(`\x` + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
		}
	}
	return b.String()
}

func never(string) bool { return false }

func TestATraceIsRead(t *testing.T) {
	trace := hexed(`7 mkdirat(AT_FDCWD<'/'>, "'/data/a'", 0700) = 0
7 openat(AT_FDCWD<'/'>, "'data/a/x'", O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600) = 5<'/data/a/x'>
8 write(5<'/data/a/x'>, "'hello'", 5 <unfinished ...>
7 write(9<'socket:[77]'>, "'not ours'", 8) = 8
8 <... write resumed>) = 3
7 pwrite64(5<'/data/a/x'>, "'J'", 1, 0) = 1
7 fsync(5<'/data/a/x'>) = 0
7 --- SIGURG {si_signo=SIGURG} ---
7 renameat(4<'/data/a'>, "'x'", 4<'/data/a'>, "'y'") = 0
7 rename("'/data/a/y'", "'/data/a/z'") = 0
7 unlinkat(4<'/data/a'>, "'none'", 0) = -1 ENOENT (No such file or directory)
7 ftruncate(5<'/data/a/z'>, 2) = 0
7 fchmod(5<'/data/a/z'>, 0640) = 0
7 lseek(5<'/data/a/z'>, 0, SEEK_END) = 2
7 openat(AT_FDCWD<'/'>, "'/data/a'", O_RDONLY|O_CLOEXEC) = 6<'/data/a'>
7 fsync(6<'/data/a'>) = 0
7 pwrite64(5<'/data/a/z'>(deleted), "'?'", 1, 0) = 1
7 openat(AT_FDCWD<'/'>, "'/elsewhere'", O_WRONLY|O_CREAT, 0600) = 5<'/elsewhere'>
7 unlink("'/data/a/z'") = 0
7 fsync(5<'/data/a/z'> <unfinished ...>
8 fsync(6<'/data/a'>) = ?
7 +++ killed by SIGKILL +++
7 unlink("'/data/cut`)

	ops, err := parse(strings.NewReader(trace), "/data", never)

	require.NoError(t, err)
	var said []string
	for _, op := range ops {
		said = append(said, op.String())
	}
	assert.Equal(t, []string{
		"mkdirat a", "openat a/x", "write a/x (3 bytes at -1)", "pwrite64 a/x (1 bytes at 0)", "fsync a/x", "renameat a/x to a/y",
		"rename a/y to a/z", "ftruncate a/z", "fchmod a/z", "lseek a/z", "fsync a", "unlink a/z",
	}, said)
	assert.Equal(t, "hel", string(ops[2].data))
	assert.EqualValues(t, strings.Index(trace, "resumed>) = 3\n")+len("resumed>) = 3\n"), ops[2].End)
	assert.EqualValues(t, 0o640, ops[8].mode)
}

func TestWhatCannotBeReplayedIsAnError(t *testing.T) {
	for name, line := range map[string]string{
		"a call that is not known":      `7 linkat(AT_FDCWD<'/'>, "'/data/a'", AT_FDCWD<'/'>, "'/data/b'", 0) = 0`,
		"a write through memory":        `7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5<'/data/a'>, 0) = 0x7f`,
		"a write of parts":              `7 writev(5<'/data/a'>, [{iov_base="'a'", iov_len=1}], 1) = 1`,
		"a copy from elsewhere":         `7 copy_file_range(4<'/x'>, NULL, 5<'/data/a'>, NULL, 1, 0) = 1`,
		"a copy of a part":              `7 copy_file_range(4<'/data/b'>, [1], 5<'/data/a'>, NULL, 1, 0) = 1`,
		"a string that was cut":         `7 write(5<'/data/a'>, "'a'"..., 9) = 9`,
		"a move to elsewhere":           `7 rename("'/data/a'", "'/b'") = 0`,
		"two files that change places":  `7 renameat2(AT_FDCWD<'/'>, "'/data/a'", AT_FDCWD<'/'>, "'/data/b'", RENAME_EXCHANGE) = 0`,
		"a path to who knows where":     `7 unlink("'a'") = 0`,
		"an end without its beginning":  `7 <... write resumed>) = 3`,
		"a line that is none":           `hello`,
		"a call without its result":     `7 fsync(5<'/data/a'>)`,
		"more written than there is":    `7 write(5<'/data/a'>, "'a'", 1) = 3`,
		"a descriptor without its path": `7 fsync(5) = 0`,
		"a number that is none":         `7 ftruncate(5<'/data/a'>, x) = 0`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(strings.NewReader(hexed(line)+"\n"), "/data", never)
			assert.ErrorContains(t, err, "line 1 of the trace")
		})
	}
}

func TestFilesOfNoInterestArePassedOver(t *testing.T) {
	ops, err := parse(strings.NewReader(hexed(`7 mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED, 5<'/data/x-shm'>, 0) = 0x7f
7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 5<'/data/x'>, 0) = 0x7f
7 sync() = 0
7 pwrite64(5<'/data/x-shm'>, "'a'", 1, 0) = 1
7 unlink("'/database'") = 0
`)), "/data", ignored)
	require.NoError(t, err)
	assert.Empty(t, ops)
}

func FuzzParse(f *testing.F) {
	f.Add(hexed(`7 openat(AT_FDCWD<'/'>, "'/data/x'", O_WRONLY|O_CREAT, 0600) = 5<'/data/x'>
8 write(5<'/data/x'>, "'hello'", 5 <unfinished ...>
8 <... write resumed>) = 3
7 renameat(4<'/data'>, "'x'", 4<'/data'>, "'y'") = 0
7 lseek(5<'/data/y'>, 0, SEEK_END) = 2
`))
	f.Fuzz(func(t *testing.T, trace string) {
		ops, err := parse(strings.NewReader(trace), "/data", never)
		if err != nil {
			return
		}
		d, err := newDisk("/data", 0, nil)
		require.NoError(t, err)
		for _, op := range ops {
			if op.off > 1<<20 || d.apply(op) != nil {
				return
			}
			for range d.States(true) {
			}
		}
	})
}
