package directorcmd_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

func FuzzNothingMovesTheTerminal(f *testing.F) {
	for _, seed := range []string{"ws1", "", "\x1b[2J", "a\nb\tc\r", "\u009b31m", "\u202eabc", "\U000e0001", "\xff\xfe", "\u2028", "\"\\<&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		var table, text bytes.Buffer
		require.NoError(t, directorcmd.PrintTable(&table, [][]string{{"HOST", "GUID"}, {name, "x"}}))
		require.NoError(t, directorcmd.PrintJSON(&text, []string{name}))
		assert.Equal(t, 2, strings.Count(table.String(), "\n"), "one line a row")
		for _, out := range []string{table.String(), text.String()} {
			assert.True(t, utf8.ValidString(out))
			for _, r := range out {
				assert.True(t, r == '\n' || unicode.IsPrint(r), "%q", r)
			}
		}
		var back []string
		require.NoError(t, json.Unmarshal(text.Bytes(), &back))
		if utf8.ValidString(name) {
			assert.Equal(t, name, back[0])
		}
	})
}
