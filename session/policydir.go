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

// policyEvery is how often a PolicyDir looks at its files: a change counts
// within 5 s.
const policyEvery = 2 * time.Second

var _ Policy = (*PolicyDir)(nil)

// A PolicyDir reads a policy from a folder, and again when it changes. The last
// good policy stays when a new one cannot be understood. It is safe for
// concurrent use.
type PolicyDir struct {
	dir    string
	logger *slog.Logger
	rules  atomic.Pointer[Rules]
	seen   atomic.Pointer[policyStamp]
	told   func(ctx context.Context, err error) // of what Run did; nil means nobody
}

type policyStamp [2]struct {
	modified time.Time
	size     int64
}

// OpenPolicyDir reads the policy in dir. It creates the folder, and empty lists
// for the files that are absent. A nil logger means slog.Default().
func OpenPolicyDir(ctx context.Context, dir string, logger *slog.Logger) (*PolicyDir, error) {
	if logger == nil {
		logger = slog.Default()
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the policy folder: %w", err)
	}
	for _, name := range []string{UsersFile, PoolsFile} {
		if err := createEmptyList(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	p := &PolicyDir{dir: dir, logger: logger}
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
	seen := p.stamp()
	users, err := p.read(UsersFile)
	if err != nil {
		return err
	}
	pools, err := p.read(PoolsFile)
	if err != nil {
		return err
	}
	rules, err := ParseRules(users, pools)
	if err != nil {
		return fmt.Errorf("read policy in %s: %w", p.dir, err)
	}
	p.rules.Store(rules)
	p.seen.Store(&seen)
	for _, problem := range rules.Problems {
		p.logger.WarnContext(ctx, "problem in the policy", slog.String("problem", problem))
	}
	return nil
}

func (p *PolicyDir) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if p.rules.Load() != nil && len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("read policy in %s: %s is empty: write [] for an empty list", p.dir, name)
	}
	return data, nil
}

// OnReload has told called when Run has read the policy again, with the error that
// Run logs when it could not: once for one that stays the same. It is called before
// Run is.
func (p *PolicyDir) OnReload(told func(ctx context.Context, err error)) { p.told = told }

// Run reloads the policy when its files change, until ctx is done. It then
// returns nil. Files that were refused are tried at every look, since not every
// remedy changes them (chmod), but logged once.
func (p *PolicyDir) Run(ctx context.Context) error {
	tick := time.NewTicker(policyEvery)
	defer tick.Stop()
	var refused policyStamp
	var why string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := p.stamp()
		if now == *p.seen.Load() {
			continue
		}
		if err := p.Reload(ctx); err != nil {
			if now != refused || err.Error() != why {
				p.logger.ErrorContext(ctx, "policy not reloaded, the one before stays", slog.Any("err", err))
				p.tell(ctx, err)
			}
			refused, why = now, err.Error()
			continue
		}
		p.logger.InfoContext(ctx, "policy reloaded", slog.String("folder", p.dir))
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
	for i, name := range []string{UsersFile, PoolsFile} {
		if info, err := os.Stat(filepath.Join(p.dir, name)); err == nil {
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
