package launchercmd

import (
	"time"

	"github.com/dcvix/dcvix"
)

// ConnectionFile writes a connection file from what a director and a person say.
func ConnectionFile(host, path, session, token, user string, port int) (string, error) {
	return target{host: host, port: port, path: path, session: dcvix.SessionID(session), token: token, user: user}.connectionFile()
}

// ViewerLog is where the viewer's log is.
const ViewerLog = viewerLog

// Used notes the use of a desktop.
func Used(used map[string]time.Time, key string, now time.Time) map[string]time.Time {
	a := acquaintance{Used: used}
	a.used(key, now)
	return a.Used
}

// Arguments returns what the viewer is started with besides the file.
func Arguments(p Preferences) ([]string, error) { return p.arguments(nil) }

// Link returns a dcv:// link.
func Link(host, path, session, token string, port int) (string, error) {
	return target{host: host, port: port, path: path, session: dcvix.SessionID(session), token: token}.link()
}

// ListOf is what a person without a past is shown of an answer.
func ListOf(res dcvix.DesktopsResponse) List {
	return (&Engine{memory: new(memory)}).list(res)
}
