// Package backup puts all that makes a director into one file, sealed with a
// passphrase, and a director back from it.
//
// The file is an age file (age-encryption.org/v1) of a tar archive: BACKUP.json
// first, which is a [Manifest], then what stands in data_dir, the policy, the audit,
// the token key and the configuration, each below a folder of its own. The age
// and tar commands open it without us:
//
//	age -d FILE | tar -t
//
// [Write] needs no director to stop: the register is a snapshot of one moment, and
// what the audit has was on record then. [Restore] puts a director back into folders
// that nobody uses, and a kill at any moment leaves the old director or the new one
// there, see [Finish].
package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session/auditfile"
	"github.com/dcvix/dcvix/session/sqlite"
)

// Places say where the parts of a director are. All but File and TokenKey are
// required.
type Places struct {
	Data     string // folder, data_dir
	Policy   string // folder, policydb_folder
	Audit    string // newest file of the audit
	TokenKey string // file; "" means none, or one in Data
	File     string // configuration; "" means none
}

// A Manifest says what a backup is of.
type Manifest struct {
	Format  int       `json:"format"`  // 1
	Version string    `json:"version"` // of the dcvix-director that wrote it
	Host    string    `json:"host"`    // the machine's name
	Time    time.Time `json:"time"`
}

const (
	format       = 1
	manifestName = "BACKUP.json"

	// MinPassphrase is how many bytes a passphrase has at least: who finds the file
	// can try as many as they like.
	MinPassphrase = 12
)

// The folders in the archive.
const (
	inData   = "data"
	inPolicy = "policy"
	inAudit  = "audit"
	inToken  = "token"
	inConfig = "configuration"
)

// Write writes a backup of the director at those places to w, sealed with the
// passphrase. hardness is how long opening takes, as log2 of the rounds of scrypt; 0
// means 18, about a second. The places may be those of a director that runs.
func Write(ctx context.Context, w io.Writer, p Places, passphrase string, hardness int) (Manifest, error) {
	if len(passphrase) < MinPassphrase {
		return Manifest{}, fmt.Errorf("the passphrase is too short: take at least %d characters", MinPassphrase)
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return Manifest{}, fmt.Errorf("the passphrase cannot be used: %w", err)
	}
	if hardness != 0 {
		recipient.SetWorkFactor(hardness)
	}
	sealed, err := age.Encrypt(w, recipient)
	if err != nil {
		return Manifest{}, fmt.Errorf("write the backup: %w", err)
	}
	host, _ := os.Hostname() // for people
	m := Manifest{Format: format, Version: dcvix.Version, Host: host, Time: time.Now().UTC().Truncate(time.Second)}
	a := &archive{ctx: ctx, tar: tar.NewWriter(sealed), at: m.Time}
	if err := a.all(p, m); err != nil {
		return Manifest{}, err
	}
	if err := errors.Join(a.tar.Close(), sealed.Close()); err != nil {
		return Manifest{}, fmt.Errorf("write the backup: %w", err)
	}
	return m, nil
}

// An archive is a backup that is being written.
type archive struct {
	ctx context.Context //nolint:containedctx // of one call of Write
	tar *tar.Writer
	at  time.Time
}

// all adds everything, what others depend on last: a record of the audit may be of
// an act that the register does not know yet, and not the other way round.
func (a *archive) all(p Places, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := a.bytes(manifestName, append(text, '\n')); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return a.register(p.Data) },
		func() error { return a.folder(p.Data, inData, skipOfData(p)) },
		func() error { return a.folder(p.Policy, inPolicy, isNoPolicy) },
		func() error { return a.audit(p.Audit) },
		func() error { return a.file(p.TokenKey, inToken) },
		func() error { return a.file(p.File, inConfig) },
	}
	for _, step := range steps {
		if err := errors.Join(a.ctx.Err(), step()); err != nil {
			return fmt.Errorf("write the backup: %w", err)
		}
	}
	return nil
}

// skipOfData says which files in data_dir are no part of it: those of the moment,
// those that are added in another way and those that belong elsewhere.
func skipOfData(p Places) func(name string) bool {
	return func(name string) bool {
		whole := filepath.Join(p.Data, name)
		switch {
		case strings.HasPrefix(name, "."), strings.HasSuffix(name, stagedSuffix):
			return true
		case strings.HasPrefix(name, standalone.DatabaseFile) && name != standalone.DatabaseFile+".0.1":
			return true
		case whole == p.Audit, strings.HasPrefix(whole, p.Audit+"."), whole == p.TokenKey, whole == p.File:
			return true
		}
		return name == lockFile || name == pendingFile
	}
}

func isNoPolicy(name string) bool {
	return !slices.Contains([]string{"users.json", "pools.json", "groups.json"}, name)
}

// register adds a snapshot of the register, which stands in the folder for as long
// as that takes: nobody else may read there.
func (a *archive) register(dir string) error {
	from, to := filepath.Join(dir, standalone.DatabaseFile), filepath.Join(dir, ".backup.db")
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return err
	}
	defer func() { _ = os.Remove(to) }()
	if err := sqlite.Snapshot(a.ctx, from, to); err != nil {
		return err
	}
	return a.named(to, path.Join(inData, standalone.DatabaseFile))
}

// folder adds the files of a folder, not those of folders in it.
func (a *archive) folder(dir, in string, skip func(string) bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || skip(e.Name()) {
			continue
		}
		if err := a.named(filepath.Join(dir, e.Name()), path.Join(in, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// file adds one file, if there is one.
func (a *archive) file(from, in string) error {
	if from == "" {
		return nil
	}
	err := a.named(from, path.Join(in, filepath.Base(from)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // made at the first start
	}
	return err
}

// audit adds the files of the audit, the oldest first. A file that moves aside
// meanwhile is still the one that was opened, and one more try has the new one.
func (a *archive) audit(newest string) error {
	const tries = 5
	for range tries {
		names, err := auditfile.Files(newest)
		if err != nil {
			return err
		}
		files, err := openAll(names)
		again, err2 := auditfile.Files(newest)
		if err = errors.Join(err, err2); err != nil || !slices.Equal(names, again) {
			closeAll(files)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		defer closeAll(files)
		for i, f := range files {
			if err := a.lines(f, path.Join(inAudit, "audit.jsonl"+strings.TrimPrefix(names[i], newest))); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("the audit %s moves aside again and again: raise [audit] max_bytes", newest)
}

func openAll(names []string) ([]*os.File, error) {
	var files []*os.File
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // it was only read
	}
}

// lines adds the whole lines of a file that may be growing.
func (a *archive) lines(f *os.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	whole, err := wholeLines(f, info.Size())
	if err != nil {
		return err
	}
	return a.from(io.NewSectionReader(f, 0, whole), name, whole)
}

// wholeLines returns where the last line that is complete ends.
func wholeLines(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 64<<10)
	for end := size; end > 0; {
		begin := max(0, end-int64(len(block)))
		part := block[:end-begin]
		if _, err := f.ReadAt(part, begin); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

func (a *archive) named(from, name string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return a.from(f, name, info.Size())
}

func (a *archive) bytes(name string, text []byte) error {
	return a.from(bytes.NewReader(text), name, int64(len(text)))
}

func (a *archive) from(r io.Reader, name string, size int64) error {
	header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.at}
	if err := a.tar.WriteHeader(&header); err != nil {
		return err
	}
	if _, err := io.CopyN(a.tar, r, size); err != nil {
		return fmt.Errorf("%s changed while it was read: %w", name, err)
	}
	return nil
}
