package directorcmd

import "golang.org/x/sys/unix"

// clockSynced asks the kernel whether a time service keeps the clock right
// (adjtimex(2)).
func clockSynced() (bool, error) {
	var state unix.Timex
	if _, err := unix.Adjtimex(&state); err != nil {
		return false, err
	}
	return state.Status&unix.STA_UNSYNC == 0, nil
}
