package dcvconf_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

func TestTextsAreReadAsGLibWritesThem(t *testing.T) {
	for value, want := range map[dcvconf.Value]string{
		`"plain"`: "plain", `'single'`: "single", `""`: "", `'it"s'`: `it"s`, `"it's"`: "it's",
		`"a\"b\\c\n\t"`: "a\"b\\c\n\t", `"\u00e9\U0001f600"`: "é😀", `"\q"`: "q", ` "spaces" `: "spaces", `"C:\\dcv"`: `C:\dcv`,
	} {
		got, ok := value.AsText()
		assert.True(t, ok, value)
		assert.Equal(t, want, got, value)
	}
	for _, value := range []dcvconf.Value{`plain`, `"open`, `'mixed"`, `"a" "b"`, `"`, ``, `"\u12"`, `"\`, `"\ud800"`, `['a']`, "\"\xff\"", `"a\"`} {
		_, ok := value.AsText()
		assert.False(t, ok, value)
	}
}

func TestSwitchesAndNumbersAreReadInTheirForms(t *testing.T) {
	for value, want := range map[dcvconf.Value]bool{"true": true, "false": false, "1": true, "0": false, " true ": true} {
		got, ok := value.AsBool()
		assert.True(t, ok, value)
		assert.Equal(t, want, got, value)
	}
	for _, value := range []dcvconf.Value{"yes", `"true"`, "2", "", "True"} {
		_, ok := value.AsBool()
		assert.False(t, ok, value)
	}
	n, ok := dcvconf.Value(" 8443 ").AsNumber()
	assert.True(t, ok)
	assert.Equal(t, int64(8443), n)
	_, ok = dcvconf.Value("uint16 8443").AsNumber()
	assert.False(t, ok)
	assert.Equal(t, dcvconf.Value("-1"), dcvconf.Number(-1))
	assert.Equal(t, dcvconf.Value("true"), dcvconf.Bool(true))
}

func FuzzATextComesBackAsItWas(f *testing.F) {
	for _, s := range []string{"", "https://director.lab:8445/x", `C:\a "b" 'c'`, "a\nb\tc\r\x01é😀\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || containsNUL(s) { // GVariant texts are UTF-8 without NUL
			return
		}
		v := dcvconf.Text(s)
		assert.NotContains(t, string(v), "\n", "it stays on one line")
		assert.NotContains(t, string(v), "\r")
		got, ok := v.AsText()
		assert.True(t, ok, string(v))
		assert.Equal(t, s, got)
	})
}

func containsNUL(s string) bool {
	for _, r := range s {
		if r == 0 {
			return true
		}
	}
	return false
}
