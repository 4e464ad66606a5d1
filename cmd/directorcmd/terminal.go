package directorcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dcvix/dcvix"
)

// plain makes of a text that an agent may have chosen one that cannot move a
// terminal or break a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// printTable prints rows, the first of which is the heading, in columns.
func printTable(w io.Writer, rows [][]string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain(cell)
		}
		line := strings.Join(cells, "\t")
		if _, err := fmt.Fprintln(table, strings.TrimRight(line, "\t")); err != nil {
			return err
		}
	}
	return table.Flush()
}

// printJSON prints v, with everything that could move a terminal escaped.
func printJSON(w io.Writer, v any) error { // any: as encoding/json
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		b.WriteString(dcvix.Visible(strings.TrimSuffix(line, "\n")))
		b.WriteByte('\n')
	}
	_, err = w.Write(b.Bytes())
	return err
}

// moment is how tables show a time; "" is never.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 MST")
}

// confirm asks a question that only yes answers. The goroutine that reads outlives
// it when ctx ends: a read from a terminal cannot be taken back, and the process
// ends then.
func confirm(ctx context.Context, in io.Reader, out io.Writer, question string) (bool, error) {
	if _, err := fmt.Fprint(out, question+" [y/N] "); err != nil {
		return false, err
	}
	answered := make(chan string, 1)
	go func() {
		var line []byte
		for b := make([]byte, 1); len(line) < 80; {
			n, err := in.Read(b)
			if n == 1 && b[0] == '\n' || err != nil {
				break
			}
			line = append(line, b[:n]...)
		}
		answered <- strings.ToLower(strings.TrimSpace(string(line)))
	}()
	select {
	case <-ctx.Done():
		return false, errors.New("interrupted: nothing was done")
	case answer := <-answered:
		return answer == "y" || answer == "yes", nil
	}
}
