package dcvconf

import "golang.org/x/sys/windows/registry"

// OpenRegistry opens settings below a key of the user.
func OpenRegistry(path string) (*Settings, error) {
	return openRegistry(&values{
		root: registry.CURRENT_USER, path: path, name: `HKEY_CURRENT_USER\` + path,
		recordRoot: registry.CURRENT_USER, recordPath: path + "-record",
	})
}
