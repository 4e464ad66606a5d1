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

func TestNothingMovesACursorInAVisibleText(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"Zoë's ws1 日本":            "Zoë's ws1 日本",
		"a\x1b[2Jb\n\x7f\u0085":   `a\u001b[2Jb\u000a\u007f\u0085`,
		"gpj.\u202eexe\u200f":     `gpj.\u202eexe\u200f`,
		"tag \U000e0041 \xff end": "tag \\udb40\\udc41 \ufffd end",
	} {
		if got := dcvix.Visible(text); got != want {
			t.Errorf("Visible(%q) = %q, want %q", text, got, want)
		}
	}
}
