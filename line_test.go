package dcvix_test

import (
	"testing"

	"github.com/dcvix/dcvix"
)

func TestATextFromOutsideIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "",
		"your code":                  "your code",
		" two\r\nlines\tand\v more ": "two lines and more",
		"\x1b[2Jgone\x00":            "[2Jgone",
		"a\u202eb\u200bc":            "abc",
		"bad\xffbytes":               "bad?bytes",
		"über Grün":                  "über Grün",
		"ä23456789012345678":         "ä23456789012345678",
		"ä234567890123456789":        "ä23456789012345678…",
	} {
		if got := dcvix.OneLine(text, 18); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", text, got, want)
		}
	}
}
