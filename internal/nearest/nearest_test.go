package nearest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/internal/nearest"
)

func TestTheWordThatWasMeant(t *testing.T) {
	words := []string{"workstations", "pools", "admin", "id", ""}
	for written, want := range map[string]string{
		"workstation": "workstations", "WORKSTATIONS": "workstations", "wrokstations": "workstations", "pool": "pools",
		"admn": "admin", "comment": "", "": "", "x": "",
	} {
		assert.Equal(t, want, nearest.Word(written, words), written)
	}
	assert.Equal(t, "bat", nearest.Word("bad", []string{"mad", "bat"}), "the same first letter wins")
	assert.Empty(t, nearest.Word(string(make([]byte, 101)), words))
	assert.Empty(t, nearest.Word("id", nil))
}

func FuzzWord(f *testing.F) {
	f.Add("workstation", "workstations")
	f.Add("ab", "ba")
	f.Add("\u212a", "k")
	f.Fuzz(func(t *testing.T, written, word string) {
		got := nearest.Word(written, []string{word})
		assert.Contains(t, []string{"", word}, got)
		if written == word && written != "" && len(written) <= 100 {
			assert.Equal(t, word, got)
		}
	})
}

func BenchmarkWord(b *testing.B) {
	words := make([]string, 10_000)
	for i := range words {
		words[i] = fmt.Sprintf("ws%d.lab.example", i)
	}
	for b.Loop() {
		nearest.Word("ws12345.lab.exmaple", words)
	}
}
