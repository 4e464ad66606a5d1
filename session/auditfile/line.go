package auditfile

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// maxLine is more than the longest line: 10 texts of 512 bytes, of which each
// may be written as \u00xx.
const maxLine = 64 << 10

// An entry is a record with its link.
type entry struct {
	Prev string `json:"prev"` // SHA-256 of the line before, without its newline, in hex
	session.AuditRecord
}

// encode returns a record as a JSON object in which nothing can move a
// terminal's cursor or turn its text around.
func encode(r session.AuditRecord) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("write an audit record: %w", err)
	}
	return []byte(dcvix.Visible(strings.TrimSuffix(b.String(), "\n"))), nil
}

// chain makes an encoded record a line that follows the one with the hash prev.
func chain(prev hash, record []byte) []byte {
	line := fmt.Appendf(nil, `{"prev":%q,`, hex.EncodeToString(prev[:]))
	return append(append(line, record[1:]...), '\n')
}

var errNoRecord = errors.New("it is no record")

func decode(line []byte) (entry, error) {
	var e entry
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return entry{}, fmt.Errorf("%w: %w", errNoRecord, err)
	}
	if d.InputOffset() != int64(len(line)) {
		return entry{}, errNoRecord
	}
	return e, nil
}

// A rawLine is a line as it stands in a file.
type rawLine struct {
	text []byte // without its newline; good until the next one is read
	cut  bool   // the file ends before the line does, or it is too long to be one
}

// lines reads the lines of a file. A line that is too long is given in parts.
func lines(from io.Reader) iter.Seq2[rawLine, error] {
	return func(yield func(rawLine, error) bool) {
		r := bufio.NewReaderSize(from, maxLine)
		for {
			text, err := r.ReadSlice('\n')
			whole := err == nil
			switch {
			case errors.Is(err, io.EOF) && len(text) == 0:
				return
			case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull):
				yield(rawLine{}, err)
				return
			}
			if !yield(rawLine{bytes.TrimSuffix(text, []byte("\n")), !whole}, nil) {
				return
			}
		}
	}
}
