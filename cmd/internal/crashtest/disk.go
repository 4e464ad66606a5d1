package crashtest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Disk is what operations made of a folder: what the process sees of it, and
// what of that would outlast a power cut.
type Disk struct {
	root  string
	umask uint32
	top   *inode
	open  map[int]*position
}

// A position is where a descriptor writes next.
type position struct {
	file  *inode
	off   int64
	atEnd bool
}

// An inode is a file or a folder apart from its name. Permissions count as
// written at once.
type inode struct {
	mode uint32

	data    []byte // of a file, as the process sees it
	synced  []byte // the same at its last synchronisation
	changes []change

	names       map[string]*inode // of a folder; nil for a file
	syncedNames map[string]*inode
	renames     []naming
}

// A change is a write or, without data, a new size.
type change struct {
	off  int64
	data []byte
	size bool
}

func (c change) apply(data []byte) []byte {
	end := c.off + int64(len(c.data))
	if c.size {
		data = data[:min(int64(len(data)), c.off)]
	}
	if grow := end - int64(len(data)); grow > 0 {
		data = append(slices.Clip(data), make([]byte, grow)...)
	} else {
		data = slices.Clone(data)
	}
	copy(data[c.off:], c.data)
	return data
}

// A naming is a change of a folder: what a name means from then on, and which name
// means nothing any more.
type naming struct {
	gone, name string // "" for none
	file       *inode
}

func (n naming) apply(names map[string]*inode) {
	delete(names, n.gone)
	if n.name != "" {
		names[n.name] = n.file
	}
}

func (n naming) shares(o naming) bool {
	for _, mine := range []string{n.gone, n.name} {
		if mine != "" && (mine == o.gone || mine == o.name) {
			return true
		}
	}
	return false
}

func newFolder(mode uint32) *inode {
	return &inode{mode: mode, names: make(map[string]*inode), syncedNames: make(map[string]*inode)}
}

// newDisk returns a disk that holds the tree below root, all of it synchronised.
func newDisk(root string, umask uint32, t Tree) (*Disk, error) {
	d := &Disk{root: root, umask: umask, top: newFolder(0o700), open: make(map[int]*position)}
	for _, name := range slices.Sorted(maps.Keys(t)) { // a folder comes before what is in it
		n := newFolder(uint32(t[name].Mode.Perm()))
		if !t[name].Mode.IsDir() {
			n = &inode{mode: n.mode, data: t[name].Data, synced: t[name].Data}
		}
		folder, err := d.find(path.Dir(path.Join(root, name)))
		if err != nil {
			return nil, err
		}
		base := path.Base(name)
		folder.names[base], folder.syncedNames[base] = n, n
	}
	return d, nil
}

func (d *Disk) find(file string) (*inode, error) {
	n := d.top
	for name := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(file, d.root), "/"), "/") {
		if name == "" {
			continue
		}
		if n = n.names[name]; n == nil {
			return nil, fmt.Errorf("%s: %w", file, fs.ErrNotExist)
		}
	}
	return n, nil
}

// apply does one operation.
func (d *Disk) apply(op Op) error {
	switch op.kind {
	case opOpen, opMkdir, opRename, opRemove:
		return d.changeName(op)
	default:
		return d.changeFile(op)
	}
}

// changeFile does an operation on what a name stands for.
func (d *Disk) changeFile(op Op) error {
	n, err := d.find(op.path)
	if err != nil {
		return err
	}
	switch op.kind {
	case opSync:
		n.synced, n.changes = n.data, nil
		n.syncedNames, n.renames = maps.Clone(n.names), nil
	case opChmod:
		n.mode = op.mode
	case opTruncate:
		n.change(change{off: op.off, size: true})
	case opWrite:
		return d.write(n, op)
	case opCopy:
		return d.copy(n, op)
	case opSeek:
		if p := d.position(op.fd, n); p != nil {
			p.off = op.off
		}
	default:
		return errors.New("it changes no file")
	}
	return nil
}

func (n *inode) change(c change) {
	n.data = c.apply(n.data)
	n.changes = append(n.changes, c)
}

// position returns where a descriptor of a file stands. One that was not seen being
// opened is a copy of another.
func (d *Disk) position(fd int, n *inode) *position {
	if p := d.open[fd]; p != nil && p.file == n {
		return p
	}
	for _, p := range d.open {
		if p.file == n {
			return p
		}
	}
	return nil
}

func (d *Disk) write(n *inode, op Op) error {
	off := op.off
	if off < 0 {
		p := d.position(op.fd, n)
		if p == nil {
			return errors.New("the file was not seen being opened")
		}
		if p.atEnd {
			p.off = int64(len(n.data))
		}
		off = p.off
		p.off += int64(len(op.data))
	}
	n.change(change{off: off, data: op.data})
	return nil
}

// copy writes to n what stands at the same place of another file: whoever copies a
// whole file reads as far as it writes.
func (d *Disk) copy(n *inode, op Op) error {
	from, err := d.find(op.to)
	if err != nil {
		return err
	}
	p := d.position(op.fd, n)
	if p == nil || p.off+op.off > int64(len(from.data)) {
		return errors.New("the file is not copied from its beginning")
	}
	return d.write(n, Op{fd: op.fd, off: -1, data: from.data[p.off : p.off+op.off]})
}

// changeName does an operation that changes a folder.
func (d *Disk) changeName(op Op) error {
	folder, err := d.find(path.Dir(op.path))
	if err != nil {
		return err
	}
	name := path.Base(op.path)
	n := folder.names[name]
	switch {
	case op.kind == opOpen && n == nil:
		n = &inode{mode: op.mode &^ d.umask}
		folder.rename(naming{name: name, file: n})
	case op.kind == opOpen:
		if strings.Contains(op.flags, "O_TRUNC") && len(n.data) > 0 {
			n.change(change{size: true})
		}
	case op.kind == opMkdir:
		folder.rename(naming{name: name, file: newFolder(op.mode &^ d.umask)})
		return nil
	case n == nil:
		return fmt.Errorf("%s: %w", op.path, fs.ErrNotExist)
	case op.kind == opRemove:
		folder.rename(naming{gone: name})
		return nil
	case path.Dir(op.to) != path.Dir(op.path):
		return errors.New("a file moves to another folder, which this package does not replay")
	default:
		folder.rename(naming{gone: name, name: path.Base(op.to), file: n})
		return nil
	}
	d.open[op.fd] = &position{file: n, atEnd: strings.Contains(op.flags, "O_APPEND")}
	return nil
}

func (n *inode) rename(c naming) {
	c.apply(n.names)
	n.renames = append(n.renames, c)
}
