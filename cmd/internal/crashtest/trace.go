package crashtest

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// A kind is what an operation does to a disk.
type kind int

const (
	opOpen     kind = iota // of a file that may be written or made
	opWrite                // at an offset, or behind what the descriptor wrote before
	opCopy                 // of the same part of another file, behind what was written before
	opSeek                 // of a descriptor
	opTruncate             // to a size
	opChmod
	opSync // of a file or a folder
	opRename
	opRemove
	opMkdir
)

// An Op is one finished system call that changed a disk or made changes last.
type Op struct {
	// End is where its line ends in the trace: what the process did before it had
	// been traced up to there is in the operations up to this one.
	End int64

	kind     kind
	call     string // as strace wrote it, without its strings
	path, to string // to is the new name of a rename, or the file that is copied from
	fd       int
	off      int64 // of a write, -1 for behind the one before; of a seek; the size of a truncation
	data     []byte
	mode     uint32
	flags    string // of an open
}

// String says what was done, without the data.
func (o Op) String() string { return o.call }

// parse reads a trace made with -f -y -xx and returns what happened below root,
// but for files that ignore names. Calls that failed or were never finished did
// nothing. An error says that the trace has what this package cannot replay.
func parse(trace io.Reader, root string, ignore func(path string) bool) ([]Op, error) {
	p := parser{root: root, ignore: ignore, begun: make(map[string]string)}
	r := bufio.NewReaderSize(trace, 1<<20)
	var end int64
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) { // a line without its end was not finished
			return p.ops, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the trace: %w", err)
		}
		end += int64(len(line))
		if err := p.line(strings.TrimSuffix(line, "\n"), end); err != nil {
			return nil, fmt.Errorf("line %d of the trace: %w", n, err)
		}
	}
}

type parser struct {
	root   string
	ignore func(path string) bool
	begun  map[string]string // calls that are not finished, by thread
	ops    []Op
}

var errForm = errors.New("it has not the form that strace -f -y -xx writes")

func (p *parser) line(line string, end int64) error {
	thread, rest, ok := strings.Cut(line, " ")
	if !ok {
		return errForm
	}
	rest = strings.TrimLeft(rest, " ")
	switch {
	case strings.HasPrefix(rest, "+++"), strings.HasPrefix(rest, "---"):
		return nil // the end of a thread, or a signal
	case strings.HasPrefix(rest, "<... "):
		_, tail, ok := strings.Cut(rest, " resumed>")
		begin, known := p.begun[thread]
		if !ok || !known {
			return errForm
		}
		delete(p.begun, thread)
		rest = begin + tail
	}
	if begin, ok := strings.CutSuffix(rest, "<unfinished ...>"); ok {
		p.begun[thread] = strings.TrimRight(begin, " ")
		return nil
	}
	c, done, err := parseCall(rest)
	if err != nil || !done {
		return err
	}
	op, ok, err := p.op(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	if ok {
		op.End = end
		p.ops = append(p.ops, op)
	}
	return nil
}

// A call is a system call that returned without an error.
type call struct {
	name   string
	args   []string
	result string
}

// parseCall splits a call. Done says whether it was finished and did not fail.
func parseCall(text string) (c call, done bool, err error) {
	at := strings.LastIndex(text, " = ")
	name, args, ok := strings.Cut(text[:max(at, 0)], "(")
	if !ok {
		return c, false, errForm
	}
	c.result = text[at+3:]
	if strings.HasPrefix(c.result, "-1 ") || strings.HasPrefix(c.result, "?") {
		return c, false, nil
	}
	args, ok = strings.CutSuffix(strings.TrimRight(args, " "), ")")
	if !ok {
		return c, false, errForm
	}
	c.name, c.args = name, strings.Split(args, ", ") // a string has no comma: all is \xhh
	return c, true, nil
}

// A descriptor is an argument such as 7</some/file>.
type descriptor struct {
	fd   int // -1 for AT_FDCWD
	path string
	gone bool // the file has no name any more
}

func parseDescriptor(arg string) (descriptor, error) {
	number, rest, ok := strings.Cut(arg, "<")
	if !ok {
		return descriptor{}, errForm
	}
	name, tail, ok := strings.Cut(rest, ">")
	if !ok {
		return descriptor{}, errForm
	}
	d := descriptor{fd: -1, gone: strings.Contains(tail, "deleted")}
	var err error
	if number != "AT_FDCWD" {
		if d.fd, err = strconv.Atoi(number); err != nil {
			return d, errForm
		}
	}
	if strings.HasPrefix(name, `\x`) {
		d.path, err = unhex(name)
	}
	d.path, ok = strings.CutSuffix(d.path, " (deleted)")
	d.gone = d.gone || ok
	return d, err
}

func parseString(arg string) (string, error) {
	text, ok := strings.CutPrefix(arg, `"`)
	if !ok {
		return "", errForm
	}
	text, ok = strings.CutSuffix(text, `"`)
	if !ok {
		return "", errors.New("a string is cut off: raise strace's limit")
	}
	return unhex(text)
}

func unhex(text string) (string, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, `\x`, ""))
	if err != nil {
		return "", errForm
	}
	return string(b), nil
}

// within says whether the operation on a file is of interest.
func (p *parser) within(file string) bool {
	return (file == p.root || strings.HasPrefix(file, p.root+"/")) && !p.ignore(file)
}

// at returns the path that a folder's descriptor and a name mean.
func (c call) at(folder, name int) (string, error) {
	if len(c.args) <= max(folder, name) {
		return "", errForm
	}
	file, err := parseString(c.args[name])
	if err != nil || path.IsAbs(file) {
		return path.Clean(file), err
	}
	if folder < 0 {
		return "", errors.New("its path is relative, to what is not in the trace")
	}
	d, err := parseDescriptor(c.args[folder])
	return path.Join(d.path, file), err
}

func (c call) number(i int) (int64, error) {
	if i >= len(c.args) {
		return 0, errForm
	}
	n, err := strconv.ParseInt(c.args[i], 0, 64)
	if err != nil {
		return 0, errForm
	}
	return n, nil
}

// op returns what a call did, and whether it is of interest.
func (p *parser) op(c call) (Op, bool, error) {
	switch c.name {
	case "open", "openat", "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "chmod", "fchmodat", "rename", "renameat", "renameat2":
		return p.named(c)
	case "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "fchmod", "lseek":
		return p.opened(c)
	case "copy_file_range":
		return p.copied(c)
	case "mmap":
		if len(c.args) < 5 || !strings.Contains(c.args[2], "PROT_WRITE") || !strings.Contains(c.args[3], "MAP_SHARED") {
			return Op{}, false, nil
		}
	case "sync", "syncfs", "sync_file_range": // would make more last than is assumed here
		return Op{}, false, nil
	}
	return Op{}, false, p.foreign(c)
}

// foreign returns an error when a call that this package cannot replay touches
// the files.
func (p *parser) foreign(c call) error {
	for _, arg := range c.args {
		var file string
		if d, err := parseDescriptor(arg); err == nil {
			file = d.path
		} else if s, err := parseString(arg); err == nil {
			file = s
		}
		if p.within(file) {
			return fmt.Errorf("it changes %s in a way that cannot be replayed", file)
		}
	}
	return nil
}
