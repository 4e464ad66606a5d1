// Package dcvconf reads and changes the settings of a DCV server, and takes its
// changes back.
//
// On Linux and macOS they are a file, /etc/dcv/dcv.conf: an INI file of GLib
// (GKeyFile) whose values are GVariant text. On Windows they are registry values
// (Amazon DCV Administrator Guide, "Modifying configuration parameters").
// [Settings] has one surface for both: Get, Set, Changes, Save, Undo.
//
// Of a file, only the values that are set change. Every other line, comment and
// line ending stays byte for byte, and so do the file's mode and owner. The first
// Save keeps a copy beside the file; every Save notes what it replaced, so that
// Undo restores exactly that, also when others have edited the file since.
//
// The package decides nothing about which settings are good, and restarts no
// server.
package dcvconf
