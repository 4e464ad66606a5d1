package launchercmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/datadir"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// A target is what a viewer needs to get to a desktop.
type target struct {
	host    string
	port    int
	path    string // the web URL path of the DCV server; usually empty
	session dcvix.SessionID
	token   string // a secret
	user    string
	prefs   Preferences
}

// connectionFile returns the text of a DCV connection file. Its values are
// unquoted and end at the line's end, so one that could break out of its line is
// refused: whoever answers for the director must not be able to set other keys.
//
// Sentences about what a director sent are in English, like its own.
//
// Source of the keys: "Using a connection file" in the user guide of Amazon DCV.
func (t target) connectionFile() (string, error) {
	if t.port < 1 || t.port > 65535 {
		return "", fmt.Errorf("the director sent %d for the port of the desktop: it must be from 1 to 65535", t.port)
	}
	port := strconv.Itoa(t.port)
	var b strings.Builder
	b.WriteString("[version]\nformat=1.0\n\n[connect]\n")
	for _, line := range []struct {
		key, value, what string
		optional         bool
	}{
		{key: "host", value: t.host, what: "host"},
		{key: "port", value: port, what: "port"},
		{key: "webport", value: port, what: "port"},
		{key: "quicport", value: port, what: "port"},
		{key: "weburlpath", value: t.path, what: "path", optional: true},
		{key: "sessionid", value: string(t.session), what: "session id"},
		{key: "authtoken", value: t.token, what: "connection token"},
		{key: "user", value: fileUser(t.user), what: "user", optional: true},
		{key: "certificatevalidationpolicy", value: string(t.prefs.Certificate), what: "certificate policy", optional: true},
	} {
		if line.value == "" && line.optional {
			continue
		}
		if err := checkValue(line.key, line.value); err != nil {
			return "", fmt.Errorf("the director sent a %s that %w: it is not used", line.what, err)
		}
		fmt.Fprintf(&b, "%s=%s\n", line.key, line.value)
	}
	if t.prefs.FullScreen || t.prefs.AllMonitors {
		fmt.Fprintf(&b, "\n[options]\nfullscreen=%v\nuseallmonitors=%v\n", t.prefs.FullScreen, t.prefs.AllMonitors)
	}
	return b.String(), nil
}

// link returns a dcv:// link to the desktop. It contains the token.
//
// Source: "Using the connection URI" in the user guide of Amazon DCV.
func (t target) link() (string, error) {
	if _, err := t.connectionFile(); err != nil { // the same values
		return "", err
	}
	if strings.ContainsAny(t.host, "/?#@") {
		return "", errors.New("the director sent a host that contains a character that has no place in it: it is not used")
	}
	link := url.URL{
		Scheme: "dcv", Host: net.JoinHostPort(strings.Trim(t.host, "[]"), strconv.Itoa(t.port)),
		Path: "/" + strings.TrimLeft(t.path, "/"), RawQuery: url.Values{"authToken": {t.token}}.Encode(), Fragment: string(t.session),
	}
	return link.String(), nil
}

// checkValue never repeats the value: it may be the token.
func checkValue(key, value string) error {
	if value == "" {
		return errors.New("is empty")
	}
	if len(value) > 8192 {
		return errors.New("is longer than 8 kB")
	}
	for _, r := range value {
		switch {
		case unicode.IsControl(r), !unicode.IsGraphic(r), r == unicode.ReplacementChar:
			return errors.New("contains a control character")
		case key != "user" && (r > unicode.MaxASCII || r == ' ' || r == '\\'):
			return errors.New("contains a character that has no place in it")
		}
	}
	return nil
}

// fileUser leaves out a name that the viewer might read otherwise: a backslash
// may start an escape, and spaces around a value are dropped. A viewer that has
// a token needs no name.
func fileUser(name string) string {
	if strings.Contains(name, `\`) || strings.TrimSpace(name) != name {
		return ""
	}
	return name
}

// A folder holds the connection files of this person.
type folder struct {
	path  string
	words *words.Words
}

// openFolder makes the folder, or checks that the existing one is a real folder,
// and closes it to others.
func openFolder(path string, w *words.Words) (folder, error) {
	said := func(key words.Key, err error) error { return &saidError{w.Say(key, datadir.Explain(err)), err} }
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return folder{}, said(words.FolderUnmade, err)
	}
	if err := os.Mkdir(path, 0o700); err != nil && !os.IsExist(err) {
		return folder{}, said(words.FolderUnmade, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return folder{}, said(words.FolderUnmade, err)
	}
	if !info.IsDir() {
		return folder{}, &saidError{text: w.Say(words.FolderNone, path)}
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a folder needs its x bit
			return folder{}, said(words.FolderOpen, err)
		}
	}
	return folder{path, w}, nil
}

// The name of a connection file carries the process that will remove it.
const filePrefix, fileSuffix = "connection-", ".dcv"

// write makes a connection file that is readable by its owner alone from the
// first moment on, and returns its path.
func (f folder) write(t target) (path string, err error) {
	text, err := t.connectionFile()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(f.path, filePrefix+strconv.Itoa(os.Getpid())+"-*"+fileSuffix)
	if err != nil {
		return "", f.unwritten(err)
	}
	_, err = file.WriteString(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return "", f.unwritten(err)
	}
	return file.Name(), nil
}

func (f folder) unwritten(err error) error {
	return &saidError{f.words.Say(words.FileUnwritten, datadir.Explain(err)), err}
}

// leftoverAge is longer than any connection file lives.
const leftoverAge = 10 * time.Minute

// removeLeftovers removes the files of launchers that ended without doing so.
// The file of one that still runs stays.
func (f folder) removeLeftovers(ctx context.Context, logger *slog.Logger) {
	entries, err := os.ReadDir(f.path)
	if err != nil && !os.IsNotExist(err) {
		logger.WarnContext(ctx, "old connection files cannot be looked for", slog.Any("err", err))
	}
	for _, entry := range entries {
		if !isLeftover(entry, time.Now()) {
			continue
		}
		if err := os.Remove(filepath.Join(f.path, entry.Name())); err != nil && !os.IsNotExist(err) {
			logger.WarnContext(ctx, "an old connection file cannot be removed", slog.Any("err", err))
		}
	}
}

func isLeftover(entry fs.DirEntry, now time.Time) bool {
	rest, ok := strings.CutPrefix(entry.Name(), filePrefix)
	if !ok || !strings.HasSuffix(rest, fileSuffix) || !entry.Type().IsRegular() {
		return false
	}
	pid, _, _ := strings.Cut(rest, "-")
	if n, err := strconv.Atoi(pid); err != nil || !processRuns(n) {
		return true
	}
	info, err := entry.Info() // the number may be another process's by now
	return err == nil && now.Sub(info.ModTime()).Abs() > leftoverAge
}
