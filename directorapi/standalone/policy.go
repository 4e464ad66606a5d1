package standalone

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

// makePolicy makes the lists that are absent, each whole or not at all: one that a
// crash left in half would keep the director from starting.
func makePolicy(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("create the policy folder: %w", err)
	}
	for _, name := range []string{session.UsersFile, session.PoolsFile} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			continue // what else may be wrong is said when it is read
		}
		if err := ca.WriteFile(path, []byte("[]\n"), 0o640); err != nil {
			return fmt.Errorf("create an empty policy file: %w", err)
		}
	}
	return nil
}
