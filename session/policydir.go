package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dcvix/dcvix/internal/durable"
)

// policyEvery is how often a PolicyDir looks at its files, and policySettles how
// many looks it waits at most for somebody who is still writing them: a change
// counts within 5 s, mostly within 2 s.
const (
	policyEvery   = time.Second
	policySettles = 3
)

var (
	_ Policy        = (*PolicyDir)(nil)
	_ PolicyRefuser = (*PolicyDir)(nil)
)

// PolicyDirConfig says what a [PolicyDir] reads. Dir is required.
type PolicyDirConfig struct {
	Dir          string
	FoldUserCase bool         // see PolicyFiles
	Logger       *slog.Logger // nil means slog.Default()
}

// A PolicyDir reads a policy from a folder, and again when it changes. The last
// good policy stays when a new one cannot be understood. It is safe for
// concurrent use; readers of the Rules wait for nothing.
type PolicyDir struct {
	cfg   PolicyDirConfig
	rules atomic.Pointer[Rules]
	seen  atomic.Pointer[policyStamp]
	wrong atomic.Pointer[refusedPolicy]
	told  func(ctx context.Context, err error) // of what Run did; nil means nobody
}

// A refusedPolicy is one that does not count.
type refusedPolicy struct {
	since time.Time
	why   error
}

// policyNames are the files of a policy. The last may be absent.
var policyNames = [...]string{UsersFile, PoolsFile, GroupsFile} //nolint:gochecknoglobals // a constant

type policyStamp [len(policyNames)]struct {
	modified time.Time
	size     int64
}

// OpenPolicyDir reads the policy in cfg.Dir. It creates the folder, and empty lists
// for [UsersFile] and [PoolsFile] when they are absent.
func OpenPolicyDir(ctx context.Context, cfg PolicyDirConfig) (*PolicyDir, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the policy folder: %w", err)
	}
	for _, name := range []string{UsersFile, PoolsFile} {
		if err := createEmptyList(filepath.Join(cfg.Dir, name)); err != nil {
			return nil, err
		}
	}
	p := &PolicyDir{cfg: cfg}
	if err := p.Reload(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// createEmptyList makes a list that is absent, whole or not at all: one that a crash
// left in half would keep the director from starting.
func createEmptyList(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what else may be wrong is said when it is read
	}
	if err := durable.WriteFile(path, []byte("[]\n"), 0o640); err != nil { // no secret, and the admins' group reads it
		return fmt.Errorf("create an empty policy file: %w", err)
	}
	return nil
}

// Rules implements [Policy].
func (p *PolicyDir) Rules() *Rules { return p.rules.Load() }

// Reload reads the files now. On an error, which names file and line, the policy
// before stays. So it does when a file is empty, as it is for a moment when an
// editor writes it in place: a list of nothing is [].
func (p *PolicyDir) Reload(ctx context.Context) error {
	err := p.reload(ctx)
	if err == nil {
		p.wrong.Store(nil)
		return nil
	}
	refused := refusedPolicy{time.Now(), err}
	if before := p.wrong.Load(); before != nil {
		refused.since = before.since
	}
	p.wrong.Store(&refused)
	return err
}

// Refused implements [PolicyRefuser].
func (p *PolicyDir) Refused() (since time.Time, why error) {
	if refused := p.wrong.Load(); refused != nil {
		return refused.since, refused.why
	}
	return time.Time{}, nil
}

func (p *PolicyDir) reload(ctx context.Context) error {
	files, seen, err := p.read()
	if err != nil {
		return err
	}
	rules, err := ParseRules(files)
	if err != nil {
		return fmt.Errorf("read policy in %s: %w", p.cfg.Dir, err)
	}
	p.rules.Store(rules)
	p.seen.Store(&seen)
	LogProblems(ctx, p.cfg.Logger, rules.Problems)
	return nil
}

// read returns the files as they were together at one moment, if they stand still
// for one; else Run finds them changed again.
func (p *PolicyDir) read() (files PolicyFiles, seen policyStamp, err error) {
	for range 5 {
		seen = p.stamp()
		files, err = ReadPolicyFiles(p.cfg.Dir, p.cfg.FoldUserCase)
		if p.stamp() == seen {
			break
		}
	}
	if err != nil || p.rules.Load() == nil { // a start takes what is there
		return files, seen, err
	}
	for i, data := range [...][]byte{files.Users, files.Pools, files.Groups} {
		switch name := policyNames[i]; {
		case data == nil && name != GroupsFile:
			return files, seen, fmt.Errorf("read policy in %s: %s is not there: put it back, with [] for an empty list", p.cfg.Dir, name)
		case data != nil && len(bytes.TrimSpace(data)) == 0:
			return files, seen, fmt.Errorf("read policy in %s: %s is empty: write [] for an empty list", p.cfg.Dir, name)
		}
	}
	return files, seen, nil
}

// ReadPolicyFiles reads the files of a policy in a folder. The content of an absent
// one is nil.
func ReadPolicyFiles(dir string, foldUserCase bool) (PolicyFiles, error) {
	f := PolicyFiles{FoldUserCase: foldUserCase}
	for i, into := range [...]*[]byte{&f.Users, &f.Pools, &f.Groups} {
		data, err := os.ReadFile(filepath.Join(dir, policyNames[i]))
		switch {
		case err == nil:
			*into = data
		case !errors.Is(err, fs.ErrNotExist):
			return PolicyFiles{}, fmt.Errorf("read policy: %w", err)
		}
	}
	return f, nil
}

// OnReload has told called when Run has read the policy again, with the error that
// Run logs when it could not: once for one that stays the same. It is called before
// Run is.
func (p *PolicyDir) OnReload(told func(ctx context.Context, err error)) { p.told = told }

// Run reloads the policy when its files changed and nobody is writing them any
// more, until ctx is done. It then returns nil. Files that were refused are tried
// at every look, since not every remedy changes them (chmod), but logged once.
func (p *PolicyDir) Run(ctx context.Context) error {
	tick := time.NewTicker(policyEvery)
	defer tick.Stop()
	var last, refused policyStamp
	var why string
	waited := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := p.stamp()
		if now == *p.seen.Load() {
			last, waited = now, 0
			continue
		}
		if now != last && waited < policySettles {
			last = now
			waited++
			continue
		}
		last, waited = now, 0
		if err := p.Reload(ctx); err != nil {
			if now != refused || err.Error() != why {
				p.cfg.Logger.ErrorContext(ctx, "policy not reloaded, the one before stays", slog.Any("err", err))
				p.tell(ctx, err)
			}
			refused, why = now, err.Error()
			continue
		}
		p.cfg.Logger.InfoContext(ctx, "policy reloaded", slog.String("folder", p.cfg.Dir))
		p.tell(ctx, nil)
	}
}

func (p *PolicyDir) tell(ctx context.Context, err error) {
	if p.told != nil {
		p.told(ctx, err)
	}
}

func (p *PolicyDir) stamp() policyStamp {
	var s policyStamp
	for i, name := range policyNames {
		if info, err := os.Stat(filepath.Join(p.cfg.Dir, name)); err == nil {
			s[i].modified, s[i].size = info.ModTime(), info.Size()
		}
	}
	return s
}

var _ Policy = FixedPolicy{}

// FixedPolicy is a [Policy] that never changes, for embedders that hold it
// themselves and for tests. The zero value lets nobody do anything.
type FixedPolicy struct{ All *Rules }

// Rules implements [Policy].
func (p FixedPolicy) Rules() *Rules {
	if p.All == nil {
		return new(Rules)
	}
	return p.All
}
