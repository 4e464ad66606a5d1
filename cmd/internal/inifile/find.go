package inifile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Candidates returns where the configuration file of a service is looked for,
// in order, given its component name in lower case ("director", "agent"): the
// system's place, beside the executable, the working directory.
func Candidates(component string) []string {
	name := "dcvix-" + component + ".conf"
	candidates := []string{filepath.Join(systemFolder(component), name)}
	if exe, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(exe), name))
	}
	return append(candidates, name)
}

// Find returns the configuration file to read: conf when it is given, which must
// exist then, else the first candidate that exists, else "". One that exists and
// cannot be looked at counts, so that it is reported and not passed over.
func Find(conf string, candidates []string) (string, error) {
	if conf != "" {
		info, err := os.Stat(conf)
		switch {
		case err != nil:
			return "", fmt.Errorf("the configuration file cannot be read: %w", err)
		case info.IsDir():
			return "", fmt.Errorf("%s is a folder: give the path of a configuration file", conf)
		}
		return conf, nil
	}
	for _, c := range candidates {
		info, err := os.Stat(c)
		if errors.Is(err, fs.ErrNotExist) || isNotDir(err) || err == nil && info.IsDir() {
			continue
		}
		return c, nil
	}
	return "", nil
}
