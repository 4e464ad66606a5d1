package dcvconf_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"gopkg.in/ini.v1"

	"github.com/dcvix/dcvix/dcvcli/dcvconf"
)

// judge reads a file with a reader that is not ours. It says false for files that
// it understands in another way than GLib, on purpose.
func judge(text, section, key string) (value string, found, ok bool) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if strings.ContainsAny(line, "`:;\\\r\x00") || strings.Contains(line, "\ufeff") || strings.Count(line, `"`) != 0 && strings.Count(line, `"`) != 2 {
			return "", false, false // quoting and comments that GLib does not have
		}
		if strings.HasPrefix(line, `"`) || strings.HasPrefix(line, "=") || strings.HasPrefix(line, "'") || strings.Contains(line, "'''") {
			return "", false, false
		}
	}
	file, err := ini.LoadSources(ini.LoadOptions{
		IgnoreContinuation: true, IgnoreInlineComment: true, PreserveSurroundedQuote: true, KeyValueDelimiters: "=",
		SkipUnrecognizableLines: true, SpaceBeforeInlineComment: false,
	}, []byte(text))
	if err != nil || strings.Contains(text, ini.DefaultSection) || !strings.HasPrefix(strings.TrimLeft(text, "\ufeff \n\t"), "[") {
		return "", false, false
	}
	if !file.HasSection(section) || !file.Section(section).HasKey(key) {
		return "", false, true
	}
	return file.Section(section).Key(key).Value(), true, true
}

func seeds(f *testing.F) {
	f.Helper()
	for _, text := range []string{
		"", shipped, strings.ReplaceAll(shipped, "\n", "\r\n"), "\ufeff" + shipped, strings.TrimSpace(shipped),
		"[security]\nauth-token-verifier=\"a\"\nauth-token-verifier='b'\n", "[security]\n[security]\n#auth-token-verifier=\n",
		"[security] \n auth-token-verifier = x\n", "[security]x\n[]\n=\n[\n]\n\r\r\n\x00",
	} {
		f.Add(text, "https://d.lab:8445/v")
	}
}

func FuzzWhatIsNotOursStaysAsItWas(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text, url string) {
		if strings.ContainsRune(url, 0) {
			return
		}
		const section, key = "security", "auth-token-verifier"
		if want, found, ok := judge(text, section, key); ok {
			got, has := dcvconf.GetIn(text, section, key)
			assert.Equal(t, found, has, "found")
			assert.Equal(t, want, string(got))
		}
		after := dcvconf.SetIn(text, section, key, dcvconf.Text(url))
		assertOnlyOurs(t, text, after)
		got, ok := dcvconf.GetIn(after, section, key)
		assert.True(t, ok)
		assert.Equal(t, dcvconf.Text(url), got)
		if got, has, ok := judge(after, section, key); ok {
			assert.True(t, has)
			assert.Equal(t, string(dcvconf.Text(url)), got)
		}
		assert.Equal(t, after, dcvconf.SetIn(after, section, key, dcvconf.Text(url)), "a second time changes nothing")
	})
}

// assertOnlyOurs takes the lines of before away from those of after: at most our
// one remains, and with it the header and the empty line of a new section.
func assertOnlyOurs(t *testing.T, before, after string) {
	t.Helper()
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	added, changed := 0, 0
	for len(old) > 0 && len(now) > 0 {
		switch {
		case old[0] == now[0], len(old) == 1 && old[0]+"\r" == now[0]: // the last line may have got an end
			old, now = old[1:], now[1:]
		case strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(old[0], "\ufeff"), " \t\v\f\r"), "auth-token-verifier") && strings.Contains(now[0], "auth-token-verifier"):
			old, now, changed = old[1:], now[1:], changed+1
		default:
			now, added = now[1:], added+1
		}
	}
	assert.Empty(t, old, "every line of before is there\n%q\n%q", before, after)
	assert.LessOrEqual(t, added+len(now), 4, "%q\n%q", before, after)
	assert.LessOrEqual(t, changed, 1)
}
