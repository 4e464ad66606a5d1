package directorcmd

import "io"

// PrintTable is printTable.
func PrintTable(w io.Writer, rows [][]string) error { return printTable(w, rows) }

// PrintJSON is printJSON.
func PrintJSON(w io.Writer, v any) error { return printJSON(w, v) } // any: as printJSON
