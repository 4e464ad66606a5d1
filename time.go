package dcvix

import (
	"bytes"
	"fmt"
	"time"
)

// A Time is a moment on the wire, or never.
//
// It reads RFC 3339 with or without a fraction; "", null and the zero time of
// the 0.1 generation (0001-01-01T00:00:00Z) mean never. It writes RFC 3339 in
// UTC, and null for never. Years are 0 to 9999 in UTC: RFC 3339 writes no others.
type Time struct{ time.Time }

// MarshalJSON implements [json.Marshaler].
//
// [json.Marshaler]: https://pkg.go.dev/encoding/json#Marshaler
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	if !t.writable() {
		return nil, fmt.Errorf("time in the year %d: RFC 3339 has years 0 to 9999", t.UTC().Year())
	}
	quoted := append(make([]byte, 0, len(time.RFC3339Nano)+2), '"')
	return append(t.UTC().AppendFormat(quoted, time.RFC3339Nano), '"'), nil // package time is quicker at its own layouts
}

// UnmarshalJSON implements [json.Unmarshaler].
//
// [json.Unmarshaler]: https://pkg.go.dev/encoding/json#Unmarshaler
func (t *Time) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) || bytes.Equal(b, []byte(`""`)) {
		*t = Time{}
		return nil
	}
	text, quoted := bytes.CutPrefix(b, []byte(`"`))
	text, ended := bytes.CutSuffix(text, []byte(`"`))
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || !quoted || !ended {
		return fmt.Errorf("time %.40s is not RFC 3339", b)
	}
	if read := (Time{parsed}); read.writable() {
		*t = read
		return nil
	}
	return fmt.Errorf("time %.40s is outside the years 0 to 9999 in UTC", b)
}

// writable says whether RFC 3339 has a form for the moment in UTC, which may be
// in another year than where it was written.
func (t Time) writable() bool {
	year := t.UTC().Year()
	return 0 <= year && year <= 9999
}
