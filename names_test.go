package dcvix_test

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

func TestAgentIDsAreCanonicalRandomUUIDs(t *testing.T) {
	const good = "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f"
	tests := map[string]struct {
		id dcvix.AgentID
		ok bool
	}{
		"version 4":            {good, true},
		"variant b":            {"9f8c7d6e-1b2a-4c3d-be4f-0a1b2c3d4e5f", true},
		"upper case":           {dcvix.AgentID(strings.ToUpper(good)), false},
		"braces":               {"{" + good + "}", false},
		"urn":                  {"urn:uuid:" + good, false},
		"no hyphens":           {"9f8c7d6e1b2a4c3d8e4f0a1b2c3d4e5f", false},
		"version 1":            {"9f8c7d6e-1b2a-1c3d-8e4f-0a1b2c3d4e5f", false},
		"variant of Microsoft": {"9f8c7d6e-1b2a-4c3d-ce4f-0a1b2c3d4e5f", false},
		"nil UUID":             {"00000000-0000-0000-0000-000000000000", false},
		"empty":                {"", false},
		"newline after it":     {good + "\n", false},
		"10 kB":                {dcvix.AgentID(strings.Repeat("a", 10_000)), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkForm(t, tt.id.Validate(), tt.ok, dcvix.ErrBadAgentID) })
	}
}

func TestSessionIDsAreSafeInPathsAndArguments(t *testing.T) {
	tests := map[string]struct {
		id dcvix.SessionID
		ok bool
	}{
		"of the director":       {"dcvix_9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f", true},
		"console":               {"console", true},
		"one letter":            {"a", true},
		"64 bytes":              {dcvix.SessionID(strings.Repeat("a", 64)), true},
		"65 bytes":              {dcvix.SessionID(strings.Repeat("a", 65)), false},
		"empty":                 {"", false},
		"an option":             {"-rf", false},
		"an underscore first":   {"_a", false},
		"a folder up":           {"..", false},
		"a slash":               {"a/b", false},
		"a space":               {"a b", false},
		"a newline at the end":  {"a\n", false},
		"a letter with accents": {"é", false},
		"a NUL":                 {"a\x00", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkForm(t, tt.id.Validate(), tt.ok, dcvix.ErrBadSessionID) })
	}
}

func TestUsernames(t *testing.T) {
	tests := map[string]struct {
		user dcvix.Username
		ok   bool
	}{
		"plain":                         {"alice", true},
		"of a Windows domain":           {`LAB\alice`, true},
		"with a realm":                  {"alice@lab.example", true},
		"not ASCII":                     {"Алиса Łukasz", true},
		"256 bytes":                     {dcvix.Username(strings.Repeat("a", 256)), true},
		"257 bytes":                     {dcvix.Username(strings.Repeat("a", 257)), false},
		"256 letters of 2 bytes":        {dcvix.Username(strings.Repeat("ä", 256)), false},
		"empty":                         {"", false},
		"an option":                     {"-alice", false},
		"a hyphen inside":               {"a-lice", true},
		"a newline":                     {"alice\nroot", false},
		"a NUL":                         {"alice\x00", false},
		"DEL":                           {"alice\x7f", false},
		"a control character of C1":     {"alice\u0085", false},
		"not UTF-8":                     {"alice\xff", false},
		"the bytes of a surrogate half": {"\xed\xa0\x80", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { checkForm(t, tt.user.Validate(), tt.ok, dcvix.ErrBadUsername) })
	}
}

func TestParseHostname(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	tests := map[string]struct {
		name string
		want dcvix.Hostname // "" means refused
	}{
		"short":                                {"ws1", "ws1"},
		"upper case and final dot":             {"WS1.Lab.Example.", "ws1.lab.example"},
		"digits first, as RFC 1123 allows":     {"3com.lab", "3com.lab"},
		"label of digits before the last":      {"1.lab", "1.lab"},
		"hyphens inside":                       {"a--b", "a--b"},
		"63 bytes":                             {label63, dcvix.Hostname(label63)},
		"64 bytes in a label":                  {label63 + "a", ""},
		"253 bytes":                            {strings.Repeat("a.", 126) + "a", dcvix.Hostname(strings.Repeat("a.", 126) + "a")},
		"255 bytes":                            {strings.Repeat("a.", 127) + "a", ""},
		"empty":                                {"", ""},
		"the root":                             {".", ""},
		"two final dots":                       {"ws1..", ""},
		"an empty label":                       {"ws1..lab", ""},
		"hyphen first":                         {"-ws1", ""},
		"hyphen last":                          {"ws1-.lab", ""},
		"underscore":                           {"ws_1", ""},
		"wildcard":                             {"*.lab", ""},
		"port":                                 {"ws1:22", ""},
		"path":                                 {"a/../b", ""},
		"newline":                              {"ws1\n", ""},
		"space":                                {" ws1", ""},
		"IPv4":                                 {"10.0.0.1", ""},
		"a decimal address":                    {"2130706433", ""},
		"a hexadecimal address":                {"0X7F000001", ""},
		"a hexadecimal part of an address":     {"127.0.0x1", ""},
		"a bare 0x":                            {"0x", ""},
		"hexadecimal digits that are a word":   {"0xenon", "0xenon"},
		"IPv6":                                 {"::1", ""},
		"a Kelvin sign is no k":                {"\u212aws1", ""},
		"a dotted capital I is no i":           {"w\u0130n", ""},
		"not UTF-8":                            {"ws\xff", ""},
		"a full-width dot separates no labels": {"ws1。lab", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := dcvix.ParseHostname(tt.name)
			assert.Equal(t, tt.want, got)
			checkForm(t, err, tt.want != "", dcvix.ErrBadHostname)
		})
	}
}

func TestAHostnameIsLowerCaseWithoutAFinalDot(t *testing.T) {
	for _, bad := range []dcvix.Hostname{"WS1", "ws1."} {
		assert.ErrorIs(t, bad.Validate(), dcvix.ErrBadHostname, bad)
	}
	assert.Equal(t, "ws1", dcvix.Hostname("ws1.lab.example").FirstLabel())
	assert.Equal(t, "ws1", dcvix.Hostname("ws1").FirstLabel())
	assert.Empty(t, dcvix.Hostname("").FirstLabel())
}

func TestParseSessionType(t *testing.T) {
	tests := map[string]struct {
		text string
		want dcvix.SessionType // "" means refused
	}{
		"console":                     {"console", dcvix.SessionConsole},
		"as 0.1 launchers write it":   {"Virtual", dcvix.SessionVirtual},
		"shouted":                     {"CONSOLE", dcvix.SessionConsole},
		"nothing is a console":        {"", dcvix.SessionConsole},
		"another":                     {"gpu", ""},
		"a space":                     {"console ", ""},
		"a dotted capital I is no i":  {"v\u0130rtual", ""},
		"a long s is no s":            {"con\u017fole", ""},
		"an argument for the command": {"--type=virtual", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := dcvix.ParseSessionType(tt.text)
			assert.Equal(t, tt.want, got)
			checkForm(t, err, tt.want != "", dcvix.ErrBadSessionType)
		})
	}
}

// checkForm checks an error of a parser: nil, or the sentinel in one bounded line.
// TestNamesAreOfTheirGrammar compares what names are good with regular expressions.
func TestNamesAreOfTheirGrammar(t *testing.T) {
	sessionID := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)
	label := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	for range 20_000 {
		name := make([]byte, rand.IntN(67))
		for i := range name {
			name[i] = "abyzABYZ0189--__"[rand.IntN(16)]
		}
		if len(name) > 0 && rand.IntN(10) == 0 {
			name[rand.IntN(len(name))] = byte(rand.IntN(256))
		}
		name = bytes.ReplaceAll(name, []byte("."), nil) // would make two labels
		require.Equal(t, sessionID.Match(name), dcvix.SessionID(name).Validate() == nil, "%q", name)
		lower := bytes.ToLower(name)
		require.Equal(t, label.Match(lower), dcvix.Hostname("a."+string(lower)+".z").Validate() == nil, "%q", lower)
	}
}

func checkForm(t *testing.T, err error, ok bool, sentinel error) {
	t.Helper()
	if ok {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, sentinel)
	assert.NotContains(t, err.Error(), "\n", "input must not forge a line of a log")
	assert.Less(t, len(err.Error()), 600)
}

func FuzzAgentID(f *testing.F) {
	const good = "9f8c7d6e-1b2a-4c3d-8e4f-0a1b2c3d4e5f"
	for _, seed := range []string{
		good, strings.ToUpper(good), "{" + good + "}", "urn:uuid:" + good, strings.ReplaceAll(good, "-", ""), good + "\n", "\x00" + good,
		"9f8c7d6e-1b2a-1c3d-8e4f-0a1b2c3d4e5f", "9f8c7d6e-1b2a-4c3d-ce4f-0a1b2c3d4e5f", uuid.Nil.String(), uuid.Max.String(), "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := uuid.Parse(text)
		canonical := err == nil && read.Version() == 4 && read.Variant() == uuid.RFC4122 && read.String() == text
		checkForm(t, dcvix.AgentID(text).Validate(), canonical, dcvix.ErrBadAgentID)
	})
}

func FuzzParseHostname(f *testing.F) {
	for _, seed := range []string{"ws1", "WS1.lab.", "10.0.0.1", "0x7f.1", "*.lab", "a..b", "-", "\u212a", "a\nb", strings.Repeat("a.", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		h, err := dcvix.ParseHostname(name)
		if err != nil {
			require.ErrorIs(t, err, dcvix.ErrBadHostname)
			require.Empty(t, h)
			return
		}
		require.NoError(t, h.Validate())
		again, err := dcvix.ParseHostname(string(h))
		require.NoError(t, err)
		require.Equal(t, h, again, "what was parsed parses to itself")
		require.Equal(t, strings.ToLower(strings.TrimSuffix(name, ".")), string(h))
		require.True(t, utf8.ValidString(string(h)))
		require.NotContains(t, string(h), "/")
	})
}
