// Package words holds what the launcher says, in the languages that it speaks.
//
// A [Key] names one sentence or word. [For] picks the language and [Words.Say]
// fills a sentence in. What a director or a DCV viewer says is not in here: it is
// shown as it comes.
package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Key names something that the launcher says.
type Key string

// Words say things in one language. The zero value and nil speak English. They
// are safe for concurrent use.
type Words struct {
	language string
	text     map[Key]string
}

func languages() map[string]map[Key]string { return all }

var all = map[string]map[Key]string{ //nolint:gochecknoglobals // never changed
	"de": with(windowGerman, german),
	"en": with(windowEnglish, english),
}

// Languages returns the languages that [For] knows, as two letters, in order.
func Languages() []string { return slices.Sorted(maps.Keys(languages())) }

// For returns the words of the first tag whose language is known, such as
// "de_AT.UTF-8", "de-CH" or "en"; English when none is.
func For(tags ...string) *Words {
	for _, tag := range tags {
		language, _, _ := strings.Cut(strings.ToLower(strings.NewReplacer("_", "-", ".", "-", "@", "-").Replace(tag)), "-")
		if language == "c" || language == "posix" {
			break // who asks for these wants no translation
		}
		if text, known := languages()[language]; known {
			return &Words{language, text}
		}
	}
	return &Words{"en", all["en"]}
}

// Language returns the two letters of the language.
func (w *Words) Language() string {
	if w == nil || w.language == "" {
		return "en"
	}
	return w.language
}

// Say returns what a key names, filled in with the values for its verbs as
// [fmt.Sprintf] does. A key that nobody wrote is returned as it is.
func (w *Words) Say(key Key, values ...any) string { // any: as fmt
	text := all["en"][key]
	if w != nil {
		if own, ok := w.text[key]; ok {
			text = own
		}
	}
	switch {
	case text == "":
		return string(key)
	case len(values) == 0:
		return text
	}
	return fmt.Sprintf(text, values...)
}

// with returns the texts of both.
func with(some, others map[Key]string) map[Key]string {
	all := maps.Clone(some)
	maps.Copy(all, others)
	return all
}
