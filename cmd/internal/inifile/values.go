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

// nearest returns the word that is closest to what was written, without regard
// to case, or "" when none is close enough to be meant. Of two that are equally
// close, the one with the same first letter wins.
func nearest(written string, words []string) string {
	if written == "" || len(written) > 100 {
		return ""
	}
	written = strings.ToLower(written)
	best, bestDistance := "", 1+max(1, (len(written)+2)/3)
	for _, w := range words {
		d := distance(written, strings.ToLower(w))
		if d < bestDistance || d == bestDistance && best != "" && best[0] != written[0] && w[0] == written[0] {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the least number of characters to insert, remove, replace or swap
// with their neighbour to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(replace, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
