//go:build !windows

package launchercmd

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// systemLanguages returns tags such as "de_AT.UTF-8", the preferred first. The
// order of the variables is that of POSIX ("Internationalization Variables"), and
// LANGUAGE is of GNU gettext.
func systemLanguages(ctx context.Context) []string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		switch tag := os.Getenv(name); tag {
		case "":
		case "C", "POSIX", "C.UTF-8": // LANGUAGE does not count then
			return []string{tag}
		default:
			return append(strings.Split(os.Getenv("LANGUAGE"), ":"), tag)
		}
	}
	if runtime.GOOS != "darwin" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/bin/defaults", "read", "-g", "AppleLocale").Output() // programs with a window get no LANG there
	if err != nil {
		return nil
	}
	return []string{strings.TrimSpace(string(out))}
}
