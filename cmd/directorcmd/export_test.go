package directorcmd

import (
	"context"
	"io"
	"time"

	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
)

// PrintTable is printTable.
func PrintTable(w io.Writer, rows [][]string) error { return printTable(w, rows) }

// PrintJSON is printJSON.
func PrintJSON(w io.Writer, v any) error { return printJSON(w, v) } // any: as printJSON

// A Machine is what a doctor finds around a director.
type Machine struct {
	Now    time.Time // zero means now
	Adrift bool      // nothing keeps the clock right
	Free   uint64    // bytes; 0 means enough
}

// Examine is the doctor of the director of a configuration.
func Examine(ctx context.Context, conf string, m Machine) diagnosis.Report {
	s := &shell{opts: Options{Environ: []string{}}.withDefaults(), conf: conf}
	around := system()
	around.synced = func() (bool, error) { return !m.Adrift, nil }
	around.free = func(string) (uint64, error) {
		if m.Free == 0 {
			return almostFull, nil
		}
		return m.Free, nil
	}
	if !m.Now.IsZero() {
		around.now = func() time.Time { return m.Now }
	}
	return s.examine(ctx, around)
}
