//go:build unix

package standalone_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

// TestNoSecretIsReadableForAnInstant makes directors under the umask that takes
// nothing away, in a folder that is open, and looks at it all the while.
func TestNoSecretIsReadableForAnInstant(t *testing.T) {
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	dir := t.TempDir()
	stop, seen := make(chan struct{}), make(chan map[string]bool)
	go func() {
		names := make(map[string]bool)
		for {
			select {
			case <-stop:
				seen <- names
				return
			default:
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				info, err := e.Info()
				if err != nil {
					continue // it had another name a moment ago
				}
				names[e.Name()] = true
				if info.Mode().IsRegular() && !public(e.Name()) && info.Mode().Perm()&0o077 != 0 {
					names[fmt.Sprint("bad: ", e.Name(), " ", info.Mode())] = true
				}
			}
		}
	}()
	for range 5 {
		s, err := standalone.Open(t.Context(), dir, options(t))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		for _, name := range []string{ca.KeyFile, ca.CertFile, ca.ServerKeyFile, ca.ServerCertFile, standalone.TokenKeyFile, standalone.DatabaseFile, standalone.AuditFile} {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
	close(stop)
	names := <-seen
	for name := range names {
		assert.NotContains(t, name, "bad:")
	}
	for _, name := range []string{ca.KeyFile, standalone.TokenKeyFile, standalone.DatabaseFile, standalone.DatabaseFile + "-wal", standalone.AuditFile} {
		assert.True(t, names[name], "%s was never seen", name)
	}
}

// public says whether a file is a certificate, also under its temporary name.
func public(name string) bool {
	name = strings.TrimSuffix(strings.TrimPrefix(name, "."), ".tmp")
	return name == ca.CertFile || name == ca.ServerCertFile
}
