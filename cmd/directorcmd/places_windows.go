package directorcmd

import (
	"os"
	"path/filepath"
)

func defaultDataDir() string {
	return filepath.Join(os.Getenv("ProgramData"), "dcvix", "Director")
}

// ownerOf does not tell: access lists say who may do what here.
func ownerOf(string) (account, bool) { return account{}, false }
