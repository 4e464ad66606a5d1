package auth_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/auth"
)

func FuzzCheck(f *testing.F) {
	for _, name := range []string{"alice", `LAB\alice`, "a@b", "", "-a", "a\nb", "a\x00", "\u0085", "\xff", strings.Repeat("a", 257), "é", "\u2028"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if (auth.Credentials{User: name, Password: "x"}).Check() != nil {
			return
		}
		assert.True(t, name != "" && len(name) <= 256 && utf8.ValidString(name) && name[0] != '-')
		assert.NotContains(t, name, "\n")
		folded := auth.FoldUser(name)
		assert.Equal(t, folded, auth.FoldUser(folded+" "), "what is folded stays so")
		assert.Equal(t, folded, auth.FoldUser(strings.ToUpper(folded)), "in capitals too")
		assert.Negative(t, strings.IndexFunc(name, unicode.IsControl))
	})
}
