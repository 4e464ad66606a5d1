// Package logging makes the logger of a program from the [log] section of its
// configuration file.
//
// It writes to standard error, where the service manager keeps it, or to files
// of 100 MB in a folder. Values from outside cannot forge a line: both formats
// escape control characters, and files are readable by their owner alone.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// LevelCritical is above [slog.LevelError]: the program cannot go on.
const LevelCritical = slog.LevelError + 4

// Config says how a program logs. The zero value logs from info upwards, as
// text, to standard error.
type Config struct {
	Level     string    // debug, info, warning, error or critical; empty means info
	Format    string    // text or json; empty means text
	Directory string    // folder of {component}.log; empty means Stderr
	Rotation  int       // how many full files of 100 MB are kept beside the current one
	Stderr    io.Writer // nil means os.Stderr

	Current *slog.LevelVar // gets the level, which can be changed there later; nil means it stays
}

// Declare declares the section [log], which is the same for every program, and
// lets it write to cfg.
func Declare(set *inifile.Set, cfg *Config) {
	s := set.Section("log")
	s.Enum(&cfg.Level, "level", "info", "how much is logged", "debug", "info", "warning", "error", "critical")
	s.Path(&cfg.Directory, "directory", "", "folder for log files; empty means standard error, which a service manager keeps")
	s.Int(&cfg.Rotation, "rotation", 2, "full log files of 100 MB that are kept").Range(0, 1000)
	s.Enum(&cfg.Format, "format", "text", "form of a line", "text", "json")
}

// Open returns the logger and what closes its file. The closer is never nil; on
// standard error it does nothing. component names the file: {component}.log.
func Open(component string, cfg Config) (*slog.Logger, io.Closer, error) {
	level, err := ParseLevel(cfg.Level)
	if err != nil {
		return nil, nil, err
	}
	current := cfg.Current
	if current == nil {
		current = new(slog.LevelVar)
	}
	current.Set(level)
	var out io.WriteCloser = standardError{cfg.Stderr}
	if cfg.Stderr == nil {
		out = standardError{os.Stderr}
	}
	if cfg.Directory != "" {
		out, err = openFile(filepath.Join(cfg.Directory, component+".log"), cfg.Rotation)
		if err != nil {
			return nil, nil, fmt.Errorf("log files cannot be written: %w: make the folder of [log] directory writable, or leave it empty to log to standard error", err)
		}
	}
	opts := &slog.HandlerOptions{Level: current, ReplaceAttr: nameLevel}
	switch cfg.Format {
	case "", "text":
		return slog.New(slog.NewTextHandler(out, opts)), out, nil
	case "json":
		return slog.New(slog.NewJSONHandler(out, opts)), out, nil
	default:
		_ = out.Close()
		return nil, nil, fmt.Errorf("log format %q is unknown: write text or json", cfg.Format)
	}
}

// ParseLevel returns the level of that name, as the key level in [log] has it.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	case "critical":
		return LevelCritical, nil
	default:
		return 0, fmt.Errorf("log level %q is unknown: write debug, info, warning, error or critical", name)
	}
}

// nameLevel writes CRITICAL where slog would write ERROR+4.
func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		if level, ok := a.Value.Any().(slog.Level); ok && level >= LevelCritical {
			return slog.String(slog.LevelKey, "CRITICAL")
		}
	}
	return a
}

// standardError is not ours to close.
type standardError struct{ io.Writer }

// Close does nothing.
func (standardError) Close() error { return nil }
