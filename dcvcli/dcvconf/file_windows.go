package dcvconf

import (
	"io/fs"
	"os"
)

// likeness does nothing: a file of Windows has the access list of its folder.
func likeness(*os.File, fs.FileInfo) error { return nil }
