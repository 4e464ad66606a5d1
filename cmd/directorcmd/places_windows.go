package directorcmd

import (
	"os"
	"path/filepath"
)

func defaultDataDir() string {
	return filepath.Join(os.Getenv("ProgramData"), "dcvix", "Director")
}
