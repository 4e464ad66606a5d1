package crashtest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// named reads a call that names its file.
func (p *parser) named(c call) (Op, bool, error) {
	folder, name := -1, 0
	if strings.HasSuffix(c.name, "at") || c.name == "renameat2" {
		folder, name = 0, 1
	}
	file, err := c.at(folder, name)
	if err != nil {
		return Op{}, false, err
	}
	op := Op{path: file}
	switch base := strings.TrimSuffix(strings.TrimSuffix(c.name, "2"), "at"); base {
	case "open":
		return p.open(c, op, name)
	case "mkdir", "chmod", "fchmod":
		op.kind = opMkdir
		if base != "mkdir" {
			op.kind = opChmod
		}
		mode, err := c.number(name + 1)
		op.mode = uint32(mode) & 0o7777 //nolint:gosec // bits of permission
		return p.said(c, op), p.within(file), err
	case "unlink", "rmdir":
		op.kind = opRemove
		return p.said(c, op), p.within(file), nil
	default:
		return p.rename(c, op)
	}
}

func (p *parser) rename(c call, op Op) (Op, bool, error) {
	folder, name := 2, 3
	if c.name == "rename" {
		folder, name = -1, 1
	}
	var err error
	op.kind = opRename
	op.to, err = c.at(folder, name)
	switch {
	case err != nil:
		return op, false, err
	case p.within(op.path) != p.within(op.to):
		return op, false, errors.New("a file comes from outside or goes there")
	case c.name == "renameat2" && strings.Contains(c.args[len(c.args)-1], "EXCHANGE"):
		return op, false, errors.New("two files change places")
	}
	return p.said(c, op), p.within(op.path), nil
}

func (p *parser) open(c call, op Op, name int) (Op, bool, error) {
	if len(c.args) < name+2 {
		return op, false, errForm
	}
	op.kind, op.flags = opOpen, c.args[name+1]
	if !strings.Contains(op.flags, "O_CREAT") && strings.HasPrefix(op.flags, "O_RDONLY") || strings.Contains(op.flags, "O_PATH") {
		return op, false, nil
	}
	if strings.Contains(op.flags, "O_CREAT") {
		mode, err := c.number(name + 2)
		if err != nil {
			return op, false, err
		}
		op.mode = uint32(mode) & 0o7777 //nolint:gosec // bits of permission
	}
	d, err := parseDescriptor(c.result)
	op.fd = d.fd
	return p.said(c, op), p.within(op.path), err
}

// opened reads a call on a descriptor.
func (p *parser) opened(c call) (Op, bool, error) {
	d, err := parseDescriptor(c.args[0])
	if err != nil || d.gone || !p.within(d.path) {
		return Op{}, false, err
	}
	op := Op{path: d.path, fd: d.fd, off: -1}
	switch c.name {
	case "write", "pwrite64":
		return p.write(c, op)
	case "ftruncate":
		op.kind = opTruncate
		op.off, err = c.number(1)
	case "fchmod":
		var mode int64
		op.kind = opChmod
		mode, err = c.number(1)
		op.mode = uint32(mode) & 0o7777 //nolint:gosec // bits of permission
	case "lseek":
		op.kind = opSeek
		op.off, err = strconv.ParseInt(c.result, 10, 64)
	default:
		op.kind = opSync
	}
	return p.said(c, op), true, err
}

func (p *parser) write(c call, op Op) (Op, bool, error) {
	if len(c.args) < 3 {
		return op, false, errForm
	}
	op.kind = opWrite
	data, err := parseString(c.args[1])
	if err != nil {
		return op, false, err
	}
	n, err := strconv.Atoi(c.result)
	if err != nil || n > len(data) {
		return op, false, errForm
	}
	op.data = []byte(data[:n])
	if c.name == "pwrite64" {
		op.off, err = c.number(3)
	}
	return p.said(c, op), true, err
}

// copied reads a copy from one file to another, both from where they stand.
func (p *parser) copied(c call) (Op, bool, error) {
	if len(c.args) < 5 {
		return Op{}, false, errForm
	}
	from, err := parseDescriptor(c.args[0])
	if err != nil {
		return Op{}, false, err
	}
	to, err := parseDescriptor(c.args[2])
	if err != nil || to.gone || !p.within(to.path) {
		return Op{}, false, err
	}
	if !p.within(from.path) || from.gone || c.args[1] != "NULL" || c.args[3] != "NULL" {
		return Op{}, false, p.foreign(c)
	}
	op := Op{kind: opCopy, path: to.path, to: from.path, fd: to.fd}
	op.off, err = strconv.ParseInt(c.result, 10, 64)
	return p.said(c, op), op.off > 0, err
}

// said adds what a person reads of the operation.
func (p *parser) said(c call, op Op) Op {
	op.call = c.name + " " + strings.TrimPrefix(strings.TrimPrefix(op.path, p.root), "/")
	switch {
	case op.to != "":
		op.call += " to " + strings.TrimPrefix(strings.TrimPrefix(op.to, p.root), "/")
	case op.kind == opWrite:
		op.call += fmt.Sprintf(" (%d bytes at %d)", len(op.data), op.off)
	}
	return op
}
