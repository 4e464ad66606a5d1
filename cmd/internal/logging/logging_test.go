package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/cmd/internal/logging"
)

func Example() {
	var cfg logging.Config
	set := inifile.New("dcvix-director")
	logging.Declare(set, &cfg)
	if err := set.Load(inifile.Source{}); err != nil {
		fmt.Println(err)
		return
	}
	logger, closer, err := logging.Open("dcvix-director", cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	logger.Info("listening", slog.String("address", "0.0.0.0:8445"))
	fmt.Println(closer.Close())
	// Output: <nil>
}

func TestLevels(t *testing.T) {
	tests := map[string]struct {
		level string
		want  int // lines of the five below
	}{
		"the default":  {"", 4},
		"debug":        {"debug", 5},
		"info":         {"info", 4},
		"warning":      {"warning", 3},
		"error":        {"error", 2},
		"critical":     {"critical", 1},
		"any spelling": {"Critical", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			logger, closer, err := logging.Open("x", logging.Config{Level: tt.level, Stderr: &out})
			require.NoError(t, err)
			for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, logging.LevelCritical} {
				logger.Log(t.Context(), l, "said")
			}
			assert.Equal(t, tt.want, strings.Count(out.String(), "\n"))
			assert.Contains(t, out.String(), "level=CRITICAL")
			assert.NoError(t, closer.Close())
		})
	}
}

func TestValuesCannotForgeALine(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			logger, _, err := logging.Open("x", logging.Config{Format: format, Stderr: &out})
			require.NoError(t, err)
			logger.Info("agent asked to join", slog.String("hostname", "ws1\ntime=2026 level=INFO msg=\"approved\"\x1b[2J\r"),
				slog.Any("err", errors.New("a\nb")))
			assert.Equal(t, 1, strings.Count(out.String(), "\n"))
			for _, c := range []string{"\x1b", "\r"} {
				assert.NotContains(t, out.String(), c)
			}
		})
	}
}

func TestUnknownWordsAreRefused(t *testing.T) {
	_, _, err := logging.Open("x", logging.Config{Level: "loud"})
	assert.EqualError(t, err, `log level "loud" is unknown: write debug, info, warning, error or critical`)
	_, _, err = logging.Open("x", logging.Config{Format: "xml"})
	assert.EqualError(t, err, `log format "xml" is unknown: write text or json`)
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "log")
	logger, closer, err := logging.Open("dcvix-agent", logging.Config{Directory: dir})
	require.NoError(t, err)
	logger.Info("one")
	require.NoError(t, closer.Close())
	require.NoError(t, closer.Close(), "closing twice is fine")

	path := filepath.Join(dir, "dcvix-agent.log")
	assert.Contains(t, read(t, path), "msg=one")
	if runtime.GOOS != "windows" {
		assert.Equal(t, fs.FileMode(0o600), mode(t, path))
		assert.Equal(t, fs.FileMode(0o750), mode(t, dir))
		require.NoError(t, os.Chmod(path, 0o644))
	}
	logger, closer, err = logging.Open("dcvix-agent", logging.Config{Directory: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, closer.Close()) }()
	logger.Info("two")
	assert.Contains(t, read(t, path), "msg=one", "it appends")
	if runtime.GOOS != "windows" {
		assert.Equal(t, fs.FileMode(0o600), mode(t, path), "an open file is tightened")
	}
}

func TestAFolderThatCannotBeWrittenIsNamed(t *testing.T) {
	below := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(below, nil, 0o600))
	dir := filepath.Join(below, "log")
	_, _, err := logging.Open("x", logging.Config{Directory: dir})
	require.Error(t, err)
	assert.Contains(t, err.Error(), below)
	assert.Contains(t, err.Error(), "make the folder of [log] directory writable")
}

func TestFullFilesMoveAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f, err := logging.OpenFile(path, 2, 10)
	require.NoError(t, err)
	for i := range 5 {
		_, err := fmt.Fprintf(f, "line-%d\n", i)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	assert.Equal(t, "line-4\n", read(t, path))
	assert.Equal(t, "line-3\n", read(t, path+".1"))
	assert.Equal(t, "line-2\n", read(t, path+".2"))
	assert.NoFileExists(t, path+".3")
	_, err = f.Write([]byte("x"))
	assert.ErrorIs(t, err, os.ErrClosed)

	f, err = logging.OpenFile(path, 0, 10)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = f.Write([]byte("line-5\n"))
	require.NoError(t, err)
	assert.Equal(t, "line-5\n", read(t, path), "with rotation 0 nothing is kept")
}

func TestWritingGoesOnWhenTheFolderComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	path := filepath.Join(dir, "x.log")
	require.NoError(t, os.Mkdir(dir, 0o700))
	f, err := logging.OpenFile(path, 1, 5)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = f.Write([]byte("one\n"))
	require.NoError(t, err)
	if err := os.RemoveAll(dir); err != nil {
		t.Skip("open files cannot be removed here")
	}
	_, err = f.Write([]byte("two\n"))
	require.Error(t, err)
	require.NoError(t, os.Mkdir(dir, 0o700))
	_, err = f.Write([]byte("three\n"))
	require.NoError(t, err)
	assert.Equal(t, "three\n", read(t, path))
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f, err := logging.OpenFile(path, 1000, 100)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				_, err := f.Write([]byte("0123456789\n"))
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.Close())
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	lines := 0
	for _, name := range files {
		for l := range strings.Lines(read(t, name)) {
			require.Equal(t, "0123456789\n", l)
			lines++
		}
	}
	assert.Equal(t, 400, lines)
}

func TestDeclareTakesTheSectionOfThe01Generation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.conf")
	require.NoError(t, os.WriteFile(path, []byte("[log]\nlevel = warning\ndirectory = log\nrotation = 5 ; files\nformat = json\n"), 0o600))
	var cfg logging.Config
	set := inifile.New("x")
	logging.Declare(set, &cfg)
	require.NoError(t, set.Load(inifile.Source{Path: path}))
	assert.Equal(t, logging.Config{Level: "warning", Directory: filepath.Join(dir, "log"), Rotation: 5, Format: "json"}, cfg)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}
