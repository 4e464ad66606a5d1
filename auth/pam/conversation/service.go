package conversation

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// systemFolders are where libpam looks for services, in this order; the last one
// is of SUSE.
func systemFolders() []string { return []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d"} }

// serviceForm keeps to lower case because libpam does (pam_start(3)): with a
// capital in its name the file that is looked at would not be the one that is used.
var serviceForm = regexp.MustCompile(`^[a-z0-9_][a-z0-9_.+-]{0,63}$`)

const (
	maxServiceFile = 64 << 10 // bytes
	maxIncludes    = 64       // files in all, so that a circle ends
)

// CheckService returns nil when libpam would follow a file of that name alone:
// it is there, can be read by this process, and says something of both
// authentication and account. In any other case libpam silently takes the missing
// part from the service "other", which on Debian lets in everybody with a
// password (pam.d(5)). dir stands for the system's folders; empty means these.
// The error is a sentence for the operator.
func CheckService(dir, service string) error {
	if !serviceForm.MatchString(service) {
		return fmt.Errorf("%.80q is no name for a PAM service: use lower-case letters, digits, \"_\", \".\", \"+\" and \"-\"", service)
	}
	folders := systemFolders()
	if dir != "" {
		folders = []string{dir}
	}
	s := scan{folders: folders, says: make(map[string]bool)}
	err := s.file(service, "")
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(s.read) == 0:
		return fmt.Errorf("there is no PAM service %s: write the file %s, or name another service", service, filepath.Join(folders[0], service))
	case err != nil:
		return fmt.Errorf("the PAM service %s cannot be used: %w", service, err)
	}
	for _, kind := range []string{"auth", "account"} {
		if !s.says[kind] {
			return fmt.Errorf("the PAM service %s has no line for %q, and PAM would take those of the service \"other\": add one to %s", service, kind, s.read[0])
		}
	}
	return nil
}

// A scan collects what a service and the files that it includes speak of. It
// follows the syntax as far as that needs.
type scan struct {
	folders []string
	read    []string // files
	says    map[string]bool
}

// file reads a file of that name; only limits what counts to one kind of line.
func (s *scan) file(name, only string) error {
	if len(s.read) >= maxIncludes {
		return fmt.Errorf("it includes more than %d files: look for a circle in %s", maxIncludes, s.read[0])
	}
	path, text, err := s.open(name)
	if err != nil {
		return err
	}
	s.read = append(s.read, path)
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line, _, _ = strings.Cut(line, "#")
		if err := s.line(strings.Fields(line), only); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func (s *scan) line(words []string, only string) error {
	if len(words) < 2 {
		return nil
	}
	kind := strings.ToLower(strings.TrimPrefix(words[0], "-"))
	switch {
	case kind == "@include":
		return s.file(words[1], only)
	case only != "" && kind != only, kind != "auth" && kind != "account", len(words) < 3:
		return nil
	case words[1] == "include" || words[1] == "substack":
		return s.file(words[2], kind)
	}
	s.says[kind] = true
	return nil
}

// open returns the first file of that name.
func (s *scan) open(name string) (path, text string, err error) {
	paths := []string{name}
	if !filepath.IsAbs(name) {
		paths = nil
		for _, folder := range s.folders {
			paths = append(paths, filepath.Join(folder, name))
		}
	}
	for _, path = range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return path, "", fmt.Errorf("%w: let this process read it", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		text, err := io.ReadAll(io.LimitReader(f, maxServiceFile+1))
		if err == nil && len(text) > maxServiceFile {
			err = fmt.Errorf("it has more than %d KiB", maxServiceFile>>10)
		}
		return path, string(text), err
	}
	return "", "", fmt.Errorf("the file %s is missing: %w", name, fs.ErrNotExist)
}
