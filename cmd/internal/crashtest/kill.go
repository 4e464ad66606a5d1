package crashtest

import (
	"fmt"
	"iter"
)

// Kill returns the options of strace that kill a program when a thread of it makes
// a call of that name for the n-th time, before the call does anything.
func Kill(call string, n int) []string {
	return []string{"-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)}
}

// Turns returns the numbers at which to kill: all in the long form, and else 1, 2,
// 4, 8 and so on. The caller ends the iteration when the program survives.
func Turns() iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := 1; yield(n); {
			if Long() {
				n++
			} else {
				n *= 2
			}
		}
	}
}
