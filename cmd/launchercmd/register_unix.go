//go:build !windows && !darwin

package launchercmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dcvix/dcvix/internal/durable"
)

const (
	entryName = "dcvix-launcher-link.desktop"
	entryType = "x-scheme-handler/dcvix"
)

// entryPath is where desktops look for a person's own entries ("XDG Base Directory
// Specification" and "Desktop Entry Specification" of freedesktop.org).
func entryPath() (string, error) {
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "applications", entryName), nil
}

// entry is the text of the entry. The link is one word of the command line, whatever
// is in it.
func entry(program string, terminal bool) (string, error) {
	if strings.ContainsAny(program, "\n\r") {
		return "", fmt.Errorf("%q cannot be written into a desktop entry: move the program", program)
	}
	exec := strings.NewReplacer(`\`, `\\\\`, `"`, `\\"`, "`", "\\\\`", `$`, `\\$`, `%`, `%%`).Replace(program)
	return fmt.Sprintf("[Desktop Entry]\nType=Application\nName=dcvix\nComment=Open a remote desktop that a web page names\n"+
		"Exec=\"%s\" -- %%u\nTerminal=%v\nNoDisplay=true\nStartupNotify=false\nMimeType=%s;\n", exec, terminal, entryType), nil
}

// register lets the person's desktop start the program for dcvix:// links.
func register(ctx context.Context, program string, terminal bool) error {
	path, err := entryPath()
	if err != nil {
		return err
	}
	text, err := entry(program, terminal)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	// The first makes it known, the second the one that is taken. Systems without
	// these tools look into the folder by themselves.
	_ = tool(ctx, "update-desktop-database", filepath.Dir(path))
	if err := tool(ctx, "xdg-mime", "default", entryName, entryType); err != nil && !errors.Is(err, exec.ErrNotFound) {
		return err
	}
	return nil
}

// unregister takes it back.
func unregister(ctx context.Context) error {
	path, err := entryPath()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = tool(ctx, "update-desktop-database", filepath.Dir(path))
	return nil
}

func tool(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput() //nolint:gosec // fixed names
	if err != nil {
		return fmt.Errorf("%s: %w %.200s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
