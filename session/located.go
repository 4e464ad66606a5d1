package session

import (
	"strings"
	"time"

	"github.com/dcvix/dcvix"
)

// located returns a session as the director shows it: with its host, and when it was
// seen there.
//
// Its texts are in one piece of memory then, in the place of a dozen: with a large
// fleet, what the garbage collector and each report have to walk through counts.
func located(s dcvix.Session, host dcvix.Hostname, at time.Time) dcvix.Session {
	var text strings.Builder
	text.Grow(len(s.ID) + 1 + len(host) + len(s.Owner) + len(s.User) + len(s.LicensingMode) + len(s.StorageRoot) +
		len(s.Type) + len(s.Status) + len(s.X11Display) + len(s.X11Authority))
	for _, part := range []string{
		string(s.ID), "-", string(host), // is the UID
		string(s.Owner), s.User, s.LicensingMode, s.StorageRoot, string(s.Type), s.Status, s.X11Display, s.X11Authority,
	} {
		text.WriteString(part)
	}
	rest := text.String()
	next := func(length int) (part string) {
		part, rest = rest[:length], rest[length:]
		return part
	}
	s.UID = next(len(s.ID) + 1 + len(host))
	s.ID, s.ServerID = dcvix.SessionID(s.UID[:len(s.ID)]), dcvix.Hostname(s.UID[len(s.ID)+1:])
	s.Owner, s.User = dcvix.Username(next(len(s.Owner))), next(len(s.User))
	s.LicensingMode, s.StorageRoot = next(len(s.LicensingMode)), next(len(s.StorageRoot))
	s.Type, s.Status = dcvix.SessionType(next(len(s.Type))), next(len(s.Status))
	s.X11Display, s.X11Authority = next(len(s.X11Display)), next(len(s.X11Authority))
	s.LastSeen = dcvix.Time{Time: at}
	return s
}
