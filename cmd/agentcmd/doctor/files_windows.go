package doctor

import (
	"io/fs"
	"os/user"

	"golang.org/x/sys/windows"
)

// closed returns "": the agent gives its folder an access list of its own, and
// checks that of its key.
func closed(string, fs.FileInfo) string { return "" }

// hiddenFrom returns "": the DCV server runs as SYSTEM, which reads everything.
func hiddenFrom(string, string) string { return "" }

// notAdmin returns the name of the account of this process when it has not the
// rights of an administrator.
func notAdmin() string {
	if windows.GetCurrentProcessToken().IsElevated() {
		return ""
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "this account"
}
