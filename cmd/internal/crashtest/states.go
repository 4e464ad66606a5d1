package crashtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

// A Tree is the content of a folder, by path below it.
type Tree map[string]File

// A File is a file or a folder in a [Tree].
type File struct {
	Mode fs.FileMode // permissions, and fs.ModeDir for a folder
	Data []byte
}

// A Hash tells trees apart.
type Hash [sha256.Size]byte

// Hash returns what is equal for equal trees.
func (t Tree) Hash() Hash {
	h := sha256.New()
	put := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, int64(len(b))) // a hash takes all
		_, _ = h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(t)) {
		put([]byte(name))
		put([]byte(t[name].Mode.String()))
		put(t[name].Data)
	}
	return Hash(h.Sum(nil))
}

// readTree returns what a folder holds, but for files that ignore names and for
// what is neither file nor folder.
func readTree(root string, ignore func(path string) bool) (Tree, error) {
	t := make(Tree)
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil || file == root || ignore(file) || e.Type()&^fs.ModeDir != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		f := File{Mode: info.Mode() & (fs.ModeDir | fs.ModePerm)}
		if !e.IsDir() {
			if f.Data, err = os.ReadFile(file); err != nil { //nolint:gosec // a folder of the test
				return err
			}
		}
		name, err := filepath.Rel(root, file)
		t[name] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read a tree: %w", err)
	}
	return t, nil
}

// WriteTo makes dir, which must be empty or absent, hold the tree.
func (t Tree) WriteTo(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write a tree: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(t)) { // a folder comes before what is in it
		f, at := t[name], filepath.Join(dir, name)
		var err error
		if f.Mode.IsDir() {
			err = os.Mkdir(at, f.Mode.Perm())
		} else {
			err = os.WriteFile(at, f.Data, f.Mode.Perm())
		}
		if err == nil {
			err = os.Chmod(at, f.Mode.Perm()) // whatever the umask
		}
		if err != nil {
			return fmt.Errorf("write a tree: %w", err)
		}
	}
	return nil
}

// Scratch returns a folder for the states of a test, on no real disk where there
// is such a place: nothing in it has to outlast anything.
func Scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "crashtest") //nolint:usetesting // TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A State is what a disk may hold after a crash.
type State struct {
	Tree Tree
	// How says in words what was lost; "" means nothing, as after a kill.
	How string
}

// A naming choice and a data choice together make a state.
type (
	chooseNames struct {
		how  string
		dirs func(*inode) map[string]*inode
	}
	chooseData struct {
		how   string
		files func(*inode) []byte
	}
)

// Killed returns what a process leaves that is killed now.
func (d *Disk) Killed() Tree { return tree(d.top, allNames, allData) }

// States returns what may be on the disk after a crash now: first what a killed
// process leaves, then what a power cut may. What is lost in a power cut are
// changes that were not synchronised:
//
//   - of names: all; the later ones; or any single one, with those after it that
//     are about the same names;
//   - of data: all; all of one file; half of the last write; the content but not
//     the size, so that there are zeroes; and if each is set, any single write, or
//     all but one.
//
// Each loss of names comes with all and with no data, each loss of data with all
// and with no names. States may be equal.
func (d *Disk) States(each bool) iter.Seq[State] {
	return func(yield func(State) bool) {
		for _, n := range d.nameChoices() {
			for _, f := range d.dataChoices(each) {
				if n.how != "" && n.how != noNames && f.how != "" && f.how != noData {
					continue
				}
				if !yield(State{Tree: tree(d.top, n.dirs, f.files), How: words(n.how, f.how)}) {
					return
				}
			}
		}
	}
}

func words(names, data string) string {
	if names == "" || data == "" {
		return names + data
	}
	return names + "; " + data
}

const (
	noNames = "unsynced names are lost"
	noData  = "unsynced data is lost"
)

func allNames(n *inode) map[string]*inode { return n.names }
func allData(n *inode) []byte             { return n.data }

// folders and files return the inodes with changes that were not synchronised,
// also those that the last synchronisation alone knows.
func (d *Disk) changed() (folders, files map[*inode]string) {
	folders, files = make(map[*inode]string), make(map[*inode]string)
	var visit func(n *inode, at string)
	visit = func(n *inode, at string) {
		if len(n.changes) > 0 {
			files[n] = at
		}
		if len(n.renames) > 0 {
			folders[n] = at
		}
		for name, below := range n.syncedNames {
			visit(below, path.Join(at, name))
		}
		for name, below := range n.names {
			if n.syncedNames[name] != below {
				visit(below, path.Join(at, name))
			}
		}
	}
	visit(d.top, "")
	return folders, files
}

func (d *Disk) nameChoices() []chooseNames {
	choices := []chooseNames{{"", allNames}}
	folders, _ := d.changed()
	if len(folders) == 0 {
		return choices
	}
	choices = append(choices, chooseNames{noNames, func(n *inode) map[string]*inode { return n.syncedNames }})
	for folder, at := range folders {
		for i := range folder.renames {
			choices = append(choices,
				folder.only(fmt.Sprintf("of %d unsynced names in %q the first %d are kept", len(folder.renames), at, i), folder.renames[:i]),
				folder.only(fmt.Sprintf("of %d unsynced names in %q number %d is lost", len(folder.renames), at, i+1), folder.without(i)))
		}
	}
	return choices
}

// only chooses all names everywhere, but in this folder those changes alone.
func (n *inode) only(how string, kept []naming) chooseNames {
	names := maps.Clone(n.syncedNames)
	for _, c := range kept {
		c.apply(names)
	}
	return chooseNames{how, func(other *inode) map[string]*inode {
		if other == n {
			return names
		}
		return other.names
	}}
}

// without returns the changes of names that can last when one does not: not those
// after it that build on it.
func (n *inode) without(lost int) []naming {
	kept := slices.Clone(n.renames[:lost])
	gone := []naming{n.renames[lost]}
	for _, c := range n.renames[lost+1:] {
		if slices.ContainsFunc(gone, c.shares) {
			gone = append(gone, c)
		} else {
			kept = append(kept, c)
		}
	}
	return kept
}

func (d *Disk) dataChoices(each bool) []chooseData {
	choices := []chooseData{{"", allData}}
	_, files := d.changed()
	if len(files) == 0 {
		return choices
	}
	choices = append(choices,
		chooseData{noData, func(n *inode) []byte { return n.synced }},
		chooseData{"sizes last, unsynced data is zeroes", zeroes})
	for file, at := range files {
		last := len(file.changes) - 1
		if len(files) > 1 {
			choices = append(choices, file.just("the unsynced data of "+at+" is lost", nil))
		}
		for half, c := range file.changes[last].halves() {
			choices = append(choices, file.just(fmt.Sprintf("of the last write of %s half %d lasts", at, half+1),
				append(slices.Clip(file.changes[:last]), c)))
		}
		for i := range file.changes {
			if !each || last == 0 {
				break
			}
			choices = append(choices,
				file.just(fmt.Sprintf("of %d unsynced writes of %s number %d is lost", last+1, at, i+1), slices.Delete(slices.Clone(file.changes), i, i+1)),
				file.just(fmt.Sprintf("of %d unsynced writes of %s number %d alone lasts", last+1, at, i+1), file.changes[i:i+1]))
		}
	}
	return choices
}

// halves returns the two halves of a write; a size has none.
func (c change) halves() []change {
	if len(c.data) < 2 {
		return nil
	}
	half := len(c.data) / 2
	return []change{{off: c.off, data: c.data[:half]}, {off: c.off + int64(half), data: c.data[half:]}}
}

func zeroes(n *inode) []byte {
	if len(n.changes) == 0 {
		return n.data
	}
	return change{off: int64(len(n.data)), size: true}.apply(n.synced)
}

// just chooses all data everywhere, but of this file those changes alone.
func (n *inode) just(how string, kept []change) chooseData {
	data := n.synced
	for _, c := range kept {
		data = c.apply(data)
	}
	return chooseData{how, func(other *inode) []byte {
		if other == n {
			return data
		}
		return other.data
	}}
}

func tree(top *inode, names func(*inode) map[string]*inode, data func(*inode) []byte) Tree {
	t := make(Tree)
	var add func(n *inode, at string)
	add = func(n *inode, at string) {
		for name, below := range names(n) {
			f := File{Mode: fs.FileMode(below.mode), Data: nil}
			if below.names != nil {
				f.Mode |= fs.ModeDir
				add(below, path.Join(at, name))
			} else {
				f.Data = data(below)
			}
			t[path.Join(at, name)] = f
		}
	}
	add(top, "")
	return t
}
