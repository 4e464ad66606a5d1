package words_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

func Example() {
	w := words.For("fr_FR.UTF-8", "de_AT.UTF-8")
	fmt.Println(w.Language(), w.Say(words.StateFree, 5, 8))
	fmt.Println(words.For("C").Say(words.StateFree, 5, 8))
	// Output:
	// de 5 von 8 frei
	// 5 of 8 free
}

func TestTheLanguageIsThatOfTheFirstTagThatIsKnown(t *testing.T) {
	for name, tt := range map[string]struct {
		tags []string
		want string
	}{
		"none":                   {nil, "en"},
		"empty ones":             {[]string{"", ""}, "en"},
		"POSIX":                  {[]string{"de_DE.UTF-8"}, "de"},
		"a modifier":             {[]string{"de@euro"}, "de"},
		"BCP 47":                 {[]string{"de-CH"}, "de"},
		"another case":           {[]string{"DE"}, "de"},
		"unknown, then known":    {[]string{"fr_FR", "de"}, "de"},
		"unknown alone":          {[]string{"fr_FR"}, "en"},
		"C wants no translation": {[]string{"C.UTF-8", "de"}, "en"},
		"a longer word":          {[]string{"deutsch"}, "en"},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, words.For(tt.tags...).Language()) })
	}
	var none *words.Words
	assert.Equal(t, "en", none.Language())
	assert.Equal(t, "ready", none.Say(words.StateReady))
	assert.Equal(t, "no such key", none.Say("no such key", 1))
}

var verb = regexp.MustCompile(`%[^%a-zA-Z]*([a-zA-Z%])`)

// verbs are those of a sentence in the order in which they take values.
func verbs(text string) []string {
	var all []string
	for _, m := range verb.FindAllStringSubmatch(text, -1) {
		if m[1] != "%" {
			all = append(all, m[1])
		}
	}
	return all
}

func TestEveryLanguageHasEverySentenceWithTheSameVerbs(t *testing.T) {
	english := words.Text("en")
	for _, language := range words.Languages() {
		text := words.Text(language)
		for key, sentence := range english {
			other, ok := text[key]
			if !assert.True(t, ok && other != "", "%s lacks %s", language, key) {
				continue
			}
			assert.Equal(t, verbs(sentence), verbs(other), "%s of %s", key, language)
			assert.NotContains(t, other, "%[", "values stand in one order in every language")
			assert.Equal(t, strings.HasSuffix(sentence, "."), strings.HasSuffix(other, "."), "%s of %s", key, language)
			assert.Equal(t, strings.TrimSpace(other), other)
		}
		for key := range text {
			assert.Contains(t, english, key, "%s has a sentence that nobody else has", language)
		}
	}
}

// TestEverySentenceIsSaidWithAllItsValues reads the launcher's code: each key is used,
// each use of a key that was written out has as many values as verbs.
func TestEverySentenceIsSaidWithAllItsValues(t *testing.T) {
	keys, english := declared(t), words.Text("en")
	require.Len(t, english, len(keys), "each key has one sentence")
	used := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../words/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if name := keyName(n); name != "" {
				used[name] = true
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || !saying(call) || call.Ellipsis.IsValid() {
				return true
			}
			name := keyName(call.Args[0])
			assert.Len(t, call.Args[1:], len(verbs(english[words.Key(keys[name])])), "%s says %s", path, name)
			return true
		})
		return nil
	})
	require.NoError(t, err)
	for name := range keys {
		assert.True(t, used[name], "nobody says %s", name)
	}
}

// saying reports whether a call is X.Say(words.Key, …) or X.say(words.Key, …).
func saying(call *ast.CallExpr) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"Say", "say"}, f.Sel.Name) && len(call.Args) > 0 && keyName(call.Args[0]) != ""
}

// keyName returns Key of words.Key, empty for anything else.
func keyName(n ast.Node) string {
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if of, ok := selector.X.(*ast.Ident); !ok || of.Name != "words" {
		return ""
	}
	switch selector.Sel.Name {
	case "Key", "Words", "For", "Languages":
		return ""
	}
	return selector.Sel.Name
}

// declared returns the values of the constants by their names.
func declared(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for _, name := range []string{"keys.go", "window_keys.go"} {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +Key = "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
			keys[m[1]] = m[2]
		}
	}
	return keys
}
