package gui

import "github.com/godbus/dbus/v5"

// trayHost is who shows icons: the StatusNotifier specification of freedesktop.org.
const trayHost = "org.kde.StatusNotifierWatcher"

// hasTray reports whether somebody shows icons. Without a session bus Fyne's tray
// would bring the program down at its end.
func hasTray() bool {
	bus, err := dbus.SessionBusPrivateNoAutoStartup()
	if err != nil {
		return false
	}
	defer bus.Close() //nolint:errcheck // nothing was written
	if bus.Auth(nil) != nil || bus.Hello() != nil {
		return false
	}
	var there bool
	err = bus.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, trayHost).Store(&there)
	return err == nil && there
}
