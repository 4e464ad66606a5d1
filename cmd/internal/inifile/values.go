package inifile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// badValueError is a sentence about a value, to be completed with its place.
type badValueError string

func (e badValueError) Error() string { return string(e) }

func valueError(format string, args ...any) error { // any as in fmt, which it passes it to
	return badValueError(fmt.Sprintf(format, args...))
}

func parseDuration(raw string) (time.Duration, error) {
	d, err := time.ParseDuration(raw)
	if err != nil {
		seconds, numErr := strconv.ParseInt(raw, 10, 64)
		if numErr != nil || seconds > int64(math.MaxInt64/time.Second) {
			return 0, valueError("%.40q is not a duration: write one such as 90s, 15m or 12h, or a number of seconds", raw)
		}
		d = time.Duration(seconds) * time.Second
	}
	if d < 0 || strings.HasPrefix(raw, "-") {
		return 0, valueError("%.40q is a negative duration: write 0 or more", raw)
	}
	return d, nil
}

// formatDuration writes 12h rather than 12h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

const sizeUnits = "BKMG"

func parseSize(raw string) (int64, error) {
	bad := valueError("%.40q is not a size: write a number of bytes, or one such as 512KiB, 100MiB or 1GiB", raw)
	digits := strings.TrimRight(raw, "BKMGib ")
	unit := strings.TrimSpace(raw[len(digits):])
	shift := 0
	switch unit {
	case "", "B":
	case "KiB", "MiB", "GiB":
		shift = 10 * strings.IndexByte(sizeUnits, unit[0])
	default:
		return 0, bad
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, bad
	}
	return n << shift, nil
}

func formatSize(n int64) string {
	for _, u := range []struct {
		name  string
		shift int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n >= 1<<u.shift && n%(1<<u.shift) == 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func splitList(raw string) []string {
	var list []string
	for part := range strings.SplitSeq(raw, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// orList writes "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
