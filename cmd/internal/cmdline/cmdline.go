// Package cmdline is what the command lines of the programs have in common.
package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/internal/private"
)

// A UsageError is a mistake in the command line or the configuration, as opposed
// to what goes wrong later. Programs end with exit code 2 for it.
type UsageError struct{ Err error }

// Usage makes a UsageError of an error.
func Usage(err error) error { return &UsageError{err} }

// Error returns the error's own words.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *UsageError) Unwrap() error { return e.Err }

// IsUsage says whether an error is, or wraps, a UsageError.
func IsUsage(err error) bool {
	var usage *UsageError
	return errors.As(err, &usage)
}

// FlagError is for [cobra.Command.SetFlagErrorFunc].
func FlagError(_ *cobra.Command, err error) error { return Usage(fmt.Errorf("%w: see --help", err)) }

// NoWords is for [cobra.Command.Args]: the program takes flags alone.
func NoWords(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usage(fmt.Errorf("%.80q on the command line means nothing: see --help", args[0]))
	}
	return nil
}

// TwoDashes writes -conf, -version, -help and the given names, the spelling of the
// 0.1 generation, with two dashes. It leaves alone what follows "--".
func TwoDashes(args []string, names ...string) []string {
	names = append([]string{"conf", "version", "help"}, names...)
	out := make([]string, len(args))
	for i, arg := range args {
		name, _, _ := strings.Cut(arg, "=")
		if short, one := strings.CutPrefix(name, "-"); one && slices.Contains(names, short) {
			arg = "-" + arg
		}
		out[i] = arg
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
	}
	return out
}

// A Defaults writes a commented default configuration.
type Defaults interface{ WriteDefault(w io.Writer) error }

// WriteConfig writes a default configuration to a new file at path, whole or not
// at all, readable by its owner alone: secrets will stand in it.
func WriteConfig(d Defaults, path string) error {
	var b bytes.Buffer
	if err := d.WriteDefault(&b); err != nil {
		return err
	}
	f, err := private.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return Usage(fmt.Errorf("%s is there already: remove it, or write to another path", path))
	}
	if err != nil {
		return Usage(fmt.Errorf("the configuration cannot be written: %w: choose a path in a folder that you may write", err))
	}
	_, err = f.Write(b.Bytes())
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(datadir.Explain(fmt.Errorf("write %s: %w", path, err)), os.Remove(path))
	}
	return nil
}
