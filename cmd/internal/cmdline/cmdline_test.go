package cmdline_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

func TestTwoDashes(t *testing.T) {
	for name, tt := range map[string]struct{ given, want []string }{
		"a program's own":    {[]string{"-revoke-agent", "x", "-revoke-agent=y", "-revoke"}, []string{"--revoke-agent", "x", "--revoke-agent=y", "-revoke"}},
		"the older spelling": {[]string{"-conf", "x", "-version", "-conf=y", "-help"}, []string{"--conf", "x", "--version", "--conf=y", "--help"}},
		"ours":               {[]string{"--conf", "-c", "-confusion"}, []string{"--conf", "-c", "-confusion"}},
		"after two dashes":   {[]string{"-conf", "--", "-conf"}, []string{"--conf", "--", "-conf"}},
		"nothing":            {[]string{}, []string{}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, cmdline.TwoDashes(tt.given, "revoke-agent")) })
	}
}

func TestUsageErrorsAreKnownThroughWrapping(t *testing.T) {
	cause := errors.New("no such key")
	err := fmt.Errorf("start: %w", cmdline.Usage(cause))
	assert.True(t, cmdline.IsUsage(err))
	assert.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "start: no such key")
	assert.False(t, cmdline.IsUsage(cause))
	assert.True(t, cmdline.IsUsage(cmdline.NoWords(nil, []string{"x"})))
	assert.NoError(t, cmdline.NoWords(nil, nil))
}

// defaults writes a line, and fails when it is told to.
type defaults struct{ err error }

func (d defaults) WriteDefault(w io.Writer) error {
	_, err := io.WriteString(w, "# default\n")
	return errors.Join(err, d.err)
}

func TestADefaultConfigurationIsANewPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.conf")
	require.NoError(t, cmdline.WriteConfig(defaults{}, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm()&0o677, "others read nothing")

	again := cmdline.WriteConfig(defaults{}, path)
	assert.EqualError(t, again, path+" is there already: remove it, or write to another path")
	assert.True(t, cmdline.IsUsage(again))

	other := filepath.Join(t.TempDir(), "y.conf")
	require.Error(t, cmdline.WriteConfig(defaults{err: errors.New("boom")}, other))
	assert.NoFileExists(t, other)
	assert.True(t, cmdline.IsUsage(cmdline.WriteConfig(defaults{}, filepath.Join(path, "below"))))
}
