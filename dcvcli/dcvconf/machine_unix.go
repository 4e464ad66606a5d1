//go:build unix

package dcvconf

// OpenMachine returns the settings of the DCV server of this machine: the file
// [DefaultPath], or on Windows the registry of the account that runs the server.
// The error wraps [io/fs.ErrNotExist] when there are none, as without a DCV server.
func OpenMachine() (*Settings, error) { return Open(DefaultPath) }
