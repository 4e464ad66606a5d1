// Package nearest finds the word that somebody meant who wrote another.
package nearest

import "strings"

// maxWritten is the most bytes of what was written that are looked at.
const maxWritten = 100

// Word returns the word that is closest to what was written, without regard to
// case, or "" when none is close enough to be meant, and for what is longer than
// 100 bytes. Of two that are equally close, the one with the same first letter wins.
func Word(written string, words []string) string {
	if written == "" || len(written) > maxWritten {
		return ""
	}
	written = strings.ToLower(written)
	best, bestDistance := "", 1+max(1, (len(written)+2)/3)
	for _, w := range words {
		if w == "" || len(w)-len(written) > bestDistance || len(written)-len(w) > bestDistance {
			continue
		}
		d := distance(written, strings.ToLower(w), bestDistance)
		if d < bestDistance || d == bestDistance && best != "" && best[0] != written[0] && w[0] == written[0] {
			best, bestDistance = w, d
		}
	}
	return best
}

// longest is the most bytes of a word that is compared.
const longest = maxWritten + 2 + maxWritten/3

// distance is the least number of characters to insert, remove, replace or swap
// with their neighbour to turn a into b, or a number above limit when it is more
// than that. Neither has more than longest bytes.
func distance(a, b string, limit int) int {
	var rows [3][longest + 1]int // of the last letters of a
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			replace := above[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit+1 { // a swap may still take one back
			return least
		}
	}
	return rows[len(a)%3][len(b)]
}
