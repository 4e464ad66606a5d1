package session

import (
	"sync/atomic"
	"time"
)

// A Failing remembers since when something fails that is done again and again, as
// writing to a disk. The zero value has not failed. It is safe for concurrent use.
type Failing struct{ first atomic.Int64 } // in milliseconds since 1970; 0 when it went well last

// Note takes in what came of it: nil when it went well.
func (f *Failing) Note(now time.Time, err error) {
	if err == nil {
		f.first.Store(0)
	} else {
		f.first.CompareAndSwap(0, now.UnixMilli())
	}
}

// Since returns when it began to fail; zero when it went well last.
func (f *Failing) Since() time.Time {
	if first := f.first.Load(); first != 0 {
		return time.UnixMilli(first)
	}
	return time.Time{}
}
