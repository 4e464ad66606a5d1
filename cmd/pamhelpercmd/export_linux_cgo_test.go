//go:build linux && cgo

package pamhelpercmd

// Ask asks PAM in this process.
var Ask = ask
