package launchercmd

import "github.com/dcvix/dcvix"

// ConnectionFile writes a connection file from what a director and a person say.
func ConnectionFile(host, path, session, token, user string, port int) (string, error) {
	return target{host: host, port: port, path: path, session: dcvix.SessionID(session), token: token, user: user}.connectionFile()
}

// ViewerLog is where the viewer's log is.
const ViewerLog = viewerLog
