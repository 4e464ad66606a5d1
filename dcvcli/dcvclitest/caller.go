package dcvclitest

import "slices"

// A caller is the account that runs the command.
type caller struct {
	name  string
	root  bool // may act for others (Administrator Guide, option --user)
	admin bool // sees and manages every session
}

// callerNamed returns what an account may do; "" is root. Documented are root and
// Administrator; that the account of the service and those of the setting
// administrators manage sessions was seen in use.
func (h host) callerNamed(name string) caller {
	if name == "" {
		name = h.root
	}
	root := h.sameUser(name, h.root)
	service := h.platform != "windows" && name == "dcv"
	named := slices.ContainsFunc(h.settings.list("security/administrators"), func(admin string) bool { return h.sameUser(admin, name) })
	return caller{name: name, root: root, admin: root || service || named}
}

// sees reports whether the caller sees a session and may act on it: others than
// administrators do so with what they created (Administrator Guide, "Viewing
// Amazon DCV sessions").
func (h host) sees(s Session) bool {
	return h.caller.admin || s.Creator != "" && h.sameUser(s.Creator, h.caller.name)
}
