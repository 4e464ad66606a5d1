package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/internal/durable"
	"github.com/dcvix/dcvix/internal/private"
	"github.com/dcvix/dcvix/session/auditfile"
)

const (
	stagedSuffix = ".restore"     // of a file that waits for its turn
	pendingFile  = "restore.json" // in data_dir: the list of what is to be done
	lockFile     = "lock"         // of package datadir

	// RestoredConfig is where the configuration of a backup is left in data_dir, to be
	// compared: that of the machine says where things are.
	RestoredConfig = "dcvix-director.conf.restored"

	maxFile = 1 << 40 // bytes; what is larger is no part of a director
)

// ErrWrongPassphrase says that the passphrase does not open the backup.
var ErrWrongPassphrase = errors.New("the passphrase is wrong, or this is no backup of a director")

// A plan is what turns the old director into the new one. Each step can be done
// again.
type plan struct {
	Remove []string `json:"remove"`
	Moves  []move   `json:"moves"`
}

type move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Lived says whether a director has lived in those places, by its first file that
// is there.
func Lived(p Places) (file string, lived bool) {
	for _, name := range []string{standalone.DatabaseFile, ca.KeyFile} {
		if _, err := os.Stat(filepath.Join(p.Data, name)); err == nil {
			return filepath.Join(p.Data, name), true
		}
	}
	return "", false
}

// Restore reads a backup and puts the director in it into those places. The caller
// holds data_dir, so that no director uses it. What was there is replaced, whole: a
// kill before the last step leaves the old director and a kill after it the new one,
// which [Finish] completes. The error wraps [ErrWrongPassphrase] for a file that does
// not open.
func Restore(ctx context.Context, r io.Reader, p Places, passphrase string) (Manifest, error) {
	if err := Finish(p.Data); err != nil {
		return Manifest{}, err
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Manifest{}, fmt.Errorf("the passphrase cannot be used: %w", err)
	}
	opened, err := age.Decrypt(r, identity)
	if err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrWrongPassphrase, err)
	}
	if err := ownAs(filepath.Join(p.Data, lockFile), "", p.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("restore: %w", err) // root may have made it just now
	}
	s := &staging{places: p}
	m, err := s.take(ctx, tar.NewReader(opened))
	if err == nil {
		err = s.check()
	}
	if err == nil {
		err = s.commit()
	}
	if err != nil {
		s.drop()
		return Manifest{}, fmt.Errorf("restore: %w", err)
	}
	return m, Finish(p.Data)
}

// Finish completes a restoration that was killed after its decision, if there is one
// in this data_dir. A director calls it before it opens anything there.
func Finish(data string) error {
	path := filepath.Join(data, pendingFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var todo plan
	if err == nil {
		err = json.Unmarshal(text, &todo)
	}
	if err != nil {
		return fmt.Errorf("a restoration that was interrupted cannot be completed, restore again: %s: %w", path, err)
	}
	if err := todo.do(); err != nil {
		return fmt.Errorf("a restoration into %s was interrupted and cannot be completed, run dcvix-director restore again as root: %w", data, err)
	}
	return durable.RemoveFile(path)
}

func (todo plan) do() error {
	folders := map[string]bool{}
	for _, path := range todo.Remove {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		folders[filepath.Dir(path)] = true
	}
	for _, m := range todo.Moves {
		if err := os.Rename(m.From, m.To); err != nil && !errors.Is(err, fs.ErrNotExist) { // then it was done
			return err
		}
		folders[filepath.Dir(m.To)] = true
	}
	for folder := range folders {
		if err := durable.SyncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// A staging is a backup that is being laid out beside what it will replace.
type staging struct {
	places Places
	moves  []move
}

// take lays out every file of the archive.
func (s *staging) take(ctx context.Context, from *tar.Reader) (Manifest, error) {
	var m Manifest
	for first := true; ; first = false {
		h, err := from.Next()
		switch {
		case errors.Is(err, io.EOF) && !first:
			return m, nil
		case err != nil:
			return m, fmt.Errorf("the backup is damaged or cut off: %w", err)
		case ctx.Err() != nil:
			return m, ctx.Err()
		case first:
			if m, err = readManifest(h, from); err != nil {
				return m, err
			}
			continue
		}
		to, err := s.place(h)
		if err == nil && to != "" {
			err = s.lay(from, to)
		}
		if err != nil {
			return m, err
		}
	}
}

func readManifest(h *tar.Header, from io.Reader) (Manifest, error) {
	var m Manifest
	text, err := io.ReadAll(io.LimitReader(from, 64<<10))
	if err == nil && h.Name == manifestName {
		err = json.Unmarshal(text, &m)
	}
	switch {
	case err != nil || h.Name != manifestName:
		return m, fmt.Errorf("the first file is %.80q: %w", h.Name, ErrWrongPassphrase)
	case m.Format != format:
		return m, fmt.Errorf("the backup has format %d and this program reads %d: use dcvix-director %s", m.Format, format, m.Version)
	}
	return m, nil
}

// place returns where a file of the archive belongs; "" means nowhere.
func (s *staging) place(h *tar.Header) (string, error) {
	folder, name, _ := strings.Cut(h.Name, "/")
	if h.Typeflag != tar.TypeReg || h.Size > maxFile || name == "" || strings.ContainsAny(name, `/\:`) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("the backup has a file that no director has, %.80q", h.Name)
	}
	switch p := s.places; folder {
	case inData:
		return filepath.Join(p.Data, name), nil
	case inPolicy:
		return filepath.Join(p.Policy, name), nil
	case inAudit:
		return p.Audit + strings.TrimPrefix(name, "audit.jsonl"), nil
	case inToken:
		return p.TokenKey, nil
	case inConfig:
		return filepath.Join(p.Data, RestoredConfig), nil
	}
	return "", fmt.Errorf("the backup has a file that this version does not know, %.80q: use the version that wrote it", h.Name)
}

// lay writes a file beside its place, for the owner that it will have.
func (s *staging) lay(from io.Reader, to string) error {
	if err := durable.MakeFolder(filepath.Dir(to)); err != nil {
		return err
	}
	m := move{From: to + stagedSuffix, To: to}
	if err := os.Remove(m.From); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return err
	}
	f, err := private.OpenFile(m.From, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	s.moves = append(s.moves, m)
	if _, err = io.Copy(f, from); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return ownAs(m.From, to, s.places.Data)
}

// check looks whether what was laid out is a director.
func (s *staging) check() error {
	has := func(name string) bool {
		return slices.ContainsFunc(s.moves, func(m move) bool { return m.To == filepath.Join(s.places.Data, name) })
	}
	for _, name := range []string{standalone.DatabaseFile, ca.KeyFile, ca.CertFile} {
		if !has(name) {
			return fmt.Errorf("the backup has no %s", name)
		}
	}
	return nil
}

// commit writes down what is to be done. From then on it will be.
func (s *staging) commit() error {
	todo := plan{Moves: s.moves}
	for _, old := range s.old() {
		if !slices.ContainsFunc(s.moves, func(m move) bool { return m.To == old }) {
			todo.Remove = append(todo.Remove, old)
		}
	}
	text, err := json.MarshalIndent(todo, "", "  ")
	if err != nil {
		return err
	}
	for _, m := range s.moves {
		if err := durable.SyncFolder(filepath.Dir(m.From)); err != nil {
			return err
		}
	}
	// The director has to be able to read it, so it has its owner before it counts.
	path := filepath.Join(s.places.Data, pendingFile)
	if err := durable.WriteFile(path+stagedSuffix, text, 0o600); err != nil {
		return err
	}
	if err := ownAs(path+stagedSuffix, path, s.places.Data); err != nil {
		return err
	}
	if err := os.Rename(path+stagedSuffix, path); err != nil {
		return err
	}
	return durable.SyncFolder(s.places.Data)
}

// old returns the files of the director that is replaced.
func (s *staging) old() []string {
	var all []string
	add := func(dir string, skip func(string) bool) {
		entries, _ := os.ReadDir(dir) // it may not be there
		for _, e := range entries {
			if e.Type().IsRegular() && !skip(e.Name()) {
				all = append(all, filepath.Join(dir, e.Name()))
			}
		}
	}
	add(s.places.Data, func(name string) bool {
		return name == lockFile || name == pendingFile || strings.HasPrefix(name, ".") || strings.HasSuffix(name, stagedSuffix) || filepath.Join(s.places.Data, name) == s.places.File
	})
	add(s.places.Policy, isNoPolicy)
	audit, _ := auditfile.Files(s.places.Audit) // they may not be there
	return append(all, audit...)
}

// drop removes what was laid out.
func (s *staging) drop() {
	for _, m := range s.moves {
		_ = os.Remove(m.From) // the next one does
	}
}
