package crashtest

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// said returns a tree as "name=data name=data", folders with a slash.
func said(tree Tree) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		f := tree[name]
		text := name + "=" + strings.ReplaceAll(string(f.Data), "\x00", "0")
		if f.Mode.IsDir() {
			text = name + "/"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// replay applies a trace to a disk that holds the tree, and returns what a crash
// may leave, without doubles.
func replay(t *testing.T, before Tree, trace string) (killed string, cuts []string) {
	t.Helper()
	ops, err := parse(strings.NewReader(hexed(trace)), "/d", never)
	require.NoError(t, err)
	d, err := newDisk("/d", 0o022, before)
	require.NoError(t, err)
	for _, op := range ops {
		require.NoError(t, d.apply(op), op)
	}
	for s := range d.States(true) {
		if s.How == "" {
			killed = said(s.Tree)
			assert.Equal(t, d.Killed(), s.Tree)
		}
		if text := said(s.Tree); !slices.Contains(cuts, text) {
			cuts = append(cuts, text)
		}
	}
	slices.Sort(cuts)
	return killed, cuts
}

const (
	opened  = "1 openat(AT_FDCWD<'/'>, \"'/d/a'\", O_RDWR|O_CREAT, 0666) = 3<'/d/a'>\n"
	written = "1 write(3<'/d/a'>, \"'new!'\", 4) = 4\n"
	synced  = "1 fsync(3<'/d/a'>) = 0\n"
	folder  = "1 fsync(4<'/d'>) = 0\n"
)

func TestWhatACrashMayLeave(t *testing.T) {
	old := Tree{"a": {Mode: 0o644, Data: []byte("old")}}
	tests := map[string]struct {
		before Tree
		trace  string
		killed string
		cuts   []string
	}{
		"a new file, nothing synchronised": {
			trace: opened + written, killed: "a=new!",
			cuts: []string{"", "a=", "a=0000", "a=00w!", "a=ne", "a=new!"},
		},
		"a new file, its data alone": {trace: opened + written + synced, killed: "a=new!", cuts: []string{"", "a=new!"}},
		"a new file, its name alone": {
			trace: opened + written + folder, killed: "a=new!",
			cuts: []string{"a=", "a=0000", "a=00w!", "a=ne", "a=new!"},
		},
		"a new file, all of it": {trace: opened + written + synced + folder, killed: "a=new!", cuts: []string{"a=new!"}},
		"a file that was there": {
			before: old, trace: opened + written, killed: "a=new!",
			cuts: []string{"a=ned", "a=new!", "a=old", "a=old0", "a=olw!"},
		},
		"two writes": {
			before: old, trace: opened + "1 pwrite64(3<'/d/a'>, \"'X'\", 1, 0) = 1\n1 pwrite64(3<'/d/a'>, \"'Y'\", 1, 4) = 1\n", killed: "a=Xld0Y",
			cuts: []string{"a=Xld", "a=Xld0Y", "a=old", "a=old00", "a=old0Y"},
		},
		"two that follow each other": {
			before: old, trace: opened + "1 write(3<'/d/a'>, \"'X'\", 1) = 1\n1 write(3<'/d/a'>, \"'Y'\", 1) = 1\n", killed: "a=XYd",
			cuts: []string{"a=XYd", "a=Xld", "a=oYd", "a=old"},
		},
		"a file cut short": {before: old, trace: opened + "1 ftruncate(3<'/d/a'>, 1) = 0\n", killed: "a=o", cuts: []string{"a=o", "a=old"}},
		"a file opened empty": {
			before: old, trace: "1 openat(AT_FDCWD<'/'>, \"'/d/a'\", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3<'/d/a'>\n",
			killed: "a=", cuts: []string{"a=", "a=old"},
		},
		"an append": {
			before: old, trace: "1 openat(AT_FDCWD<'/'>, \"'/d/a'\", O_WRONLY|O_APPEND) = 3<'/d/a'>\n1 write(3<'/d/a'>, \"'+'\", 1) = 1\n" + synced,
			killed: "a=old+", cuts: []string{"a=old+"},
		},
		"a copy": {
			before: Tree{"b": {Data: []byte("1234")}},
			trace:  opened + "1 copy_file_range(4<'/d/b'>, NULL, 3<'/d/a'>, NULL, 3, 0) = 3\n1 copy_file_range(4<'/d/b'>, NULL, 3<'/d/a'>, NULL, 9, 0) = 1\n" + synced,
			killed: "a=1234 b=1234", cuts: []string{"a=1234 b=1234", "b=1234"},
		},
		"a replaced file without its synchronisation": {
			before: Tree{"a": {Data: []byte("old")}, "t": {Data: []byte("new")}}, trace: "1 rename(\"'/d/t'\", \"'/d/a'\") = 0\n",
			killed: "a=new", cuts: []string{"a=new", "a=old t=new"},
		},
		"names that do not depend on each other": {
			before: Tree{"a": {}, "b": {}, "c": {}}, trace: "1 unlink(\"'/d/a'\") = 0\n1 unlink(\"'/d/b'\") = 0\n1 unlink(\"'/d/c'\") = 0\n",
			killed: "", cuts: []string{"", "a=", "a= b= c=", "b=", "b= c=", "c="},
		},
		"names that do": {
			before: old, trace: "1 rename(\"'/d/a'\", \"'/d/b'\") = 0\n" + opened,
			killed: "a= b=old", cuts: []string{"a= b=old", "a=old", "b=old"},
		},
		"a folder whose name is not synchronised": {
			trace:  "1 mkdirat(AT_FDCWD<'/'>, \"'/d/f'\", 0700) = 0\n1 openat(AT_FDCWD<'/'>, \"'/d/f/a'\", O_RDWR|O_CREAT, 0600) = 3<'/d/f/a'>\n1 fsync(5<'/d/f'>) = 0\n",
			killed: "f/ f/a=", cuts: []string{"", "f/ f/a="},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			killed, cuts := replay(t, tt.before, tt.trace)
			assert.Equal(t, tt.killed, killed)
			assert.Equal(t, tt.cuts, cuts)
		})
	}
}

func TestPermissionsAreThoseAfterTheUmask(t *testing.T) {
	d, err := newDisk("/d", 0o027, nil)
	require.NoError(t, err)
	ops, err := parse(strings.NewReader(hexed(opened)), "/d", never)
	require.NoError(t, err)
	require.NoError(t, d.apply(ops[0]))
	assert.EqualValues(t, 0o640, d.Killed()["a"].Mode)
	require.NoError(t, d.apply(Op{kind: opChmod, path: "/d/a", mode: 0o600}))
	assert.EqualValues(t, 0o600, d.Killed()["a"].Mode)
}

func TestWhatCannotBeAppliedIsAnError(t *testing.T) {
	for name, op := range map[string]Op{
		"a file that is not there":           {kind: opSync, path: "/d/x"},
		"a name that is not there":           {kind: opRemove, path: "/d/x"},
		"a folder that is not there":         {kind: opOpen, path: "/d/x/y"},
		"a descriptor that was never opened": {kind: opWrite, path: "/d/a", fd: 9, off: -1, data: []byte("x")},
		"a move to another folder":           {kind: opRename, path: "/d/a", to: "/d/f/a"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := newDisk("/d", 0, Tree{"a": {}})
			require.NoError(t, err)
			assert.Error(t, d.apply(op))
		})
	}
}

func TestATreeIsWrittenAndReadAgain(t *testing.T) {
	tree := Tree{"f": {Mode: fs.ModeDir | 0o700}, "f/a": {Mode: 0o600, Data: []byte("x")}, "b": {Mode: 0o640, Data: []byte{}}}
	dir := Scratch(t)
	require.NoError(t, tree.WriteTo(dir))
	got, err := readTree(dir, never)
	require.NoError(t, err)
	assert.Equal(t, tree.Hash(), got.Hash())
	other := maps.Clone(tree)
	other["b"] = File{Mode: 0o600, Data: []byte{}}
	assert.NotEqual(t, tree.Hash(), other.Hash())
}
