package agentcmd

import (
	"os"
	"path/filepath"
)

const defaultDCVPath = "" // one of two folders: package dcvcli knows them

func defaultDataDir() string {
	return filepath.Join(os.Getenv("ProgramData"), "dcvix", "Agent")
}
