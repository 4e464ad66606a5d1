package external

import "os/exec"

// ownGroup leaves the command as it is: exec kills the process itself, and
// WaitDelay lets go of children that keep its pipes.
func ownGroup(*exec.Cmd) {}
