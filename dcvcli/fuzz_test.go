package dcvcli_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func FuzzList(f *testing.F) {
	for _, name := range []string{
		"2020.1/list-sessions.txt", "2023.1/list-sessions-none.txt", "2023.1/list-sessions.json", "2023.1/list-sessions.txt",
		"2025.0/list-sessions.json", "doc-literal/list-sessions.json", "doc-literal/list-sessions.txt",
	} {
		f.Add(capture(f, name))
	}
	f.Add([]byte(`[null]`))
	f.Add([]byte(`[{"id":"a","licenses":[7,{"product":"dcv","expiration-date":[]}],"display-layout":[{"width":1e99}]}]`))
	f.Add([]byte("Session: ''' (owner: type:console name:'"))
	f.Fuzz(func(t *testing.T, out []byte) {
		sessions, err := newCLI(t, "linux", printing(out)).List(t.Context())
		var partial *dcvcli.PartialListError
		switch {
		case errors.As(err, &partial):
			assert.Positive(t, partial.Unread)
			require.NotEmpty(t, sessions)
		case err != nil:
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			require.Nil(t, sessions)
			return
		}
		require.NotNil(t, sessions)
		for _, s := range sessions {
			checkSession(t, s)
		}
	})
}

// checkSession holds for a session of any origin.
func checkSession(t *testing.T, s dcvcli.Session) {
	t.Helper()
	assert.NotEmpty(t, s.ID)
	assert.GreaterOrEqual(t, s.NumOfConnections, 0)
	assert.Equal(t, strings.ToLower(s.Type), s.Type)
	for _, l := range s.Licenses {
		assert.NotEmpty(t, l.Product+l.Status)
		assert.Equal(t, strings.ToLower(l.Status), l.Status)
	}
	for _, d := range s.DisplayLayout {
		assert.Positive(t, d.Width)
		assert.Positive(t, d.Height)
	}
}

func FuzzDescribe(f *testing.F) {
	for _, name := range []string{
		"2019.1/describe-session.json", "2020.1/describe-session.json", "doc-literal/describe-session.json", "doc-literal/describe-session.txt",
	} {
		f.Add(capture(f, name))
	}
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, out []byte) {
		s, err := newCLI(t, "linux", printing(out)).Describe(t.Context(), "a")
		if err != nil {
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			return
		}
		checkSession(t, s)
	})
}

func FuzzConnections(f *testing.F) {
	f.Add(capture(f, "2025.0/list-connections.json"))
	f.Add(capture(f, "2025.0/list-connections-two.json"))
	f.Add([]byte(`[{"id":-1},{"id":"1"},null,7]`))
	f.Fuzz(func(t *testing.T, out []byte) {
		connections, err := newCLI(t, "linux", printing(out)).Connections(t.Context(), "a")
		var partial *dcvcli.PartialListError
		if err == nil || errors.As(err, &partial) {
			assert.NotNil(t, connections)
			assert.False(t, err != nil && len(connections) == 0)
			return
		}
		require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
	})
}

func FuzzScreenshot(f *testing.F) {
	f.Add(capture(f, "2025.0/get-screenshot.json"))
	f.Fuzz(func(t *testing.T, out []byte) {
		shot, err := newCLI(t, "linux", printing(out)).Screenshot(t.Context(), "a", dcvcli.ScreenshotOptions{})
		if err != nil {
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
			return
		}
		assert.NotEmpty(t, shot.Data)
		assert.Regexp(t, "^[a-z0-9]+$", shot.Format)
	})
}

func FuzzParseLayout(f *testing.F) {
	f.Add("1920x1080+0+0,1280x1024+1920+0")
	f.Add("800x600,640x480-640-480")
	f.Fuzz(func(t *testing.T, descriptor string) {
		layout, err := dcvcli.ParseLayout(descriptor)
		if err != nil {
			require.ErrorIs(t, err, dcvcli.ErrInvalid)
			return
		}
		again, err := dcvcli.ParseLayout(layout.String())
		require.NoError(t, err)
		assert.Equal(t, layout, again)
	})
}

func FuzzGVariantString(f *testing.F) {
	f.Add(`it's C:\`)
	f.Fuzz(func(t *testing.T, s string) {
		text := dcvcli.GVariantString(s)
		assert.False(t, strings.ContainsFunc(text, unicode.IsControl))
		inner := text[1 : len(text)-1]
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' {
				i++ // what is escaped ends nothing
				assert.Less(t, i, len(inner))
			} else {
				assert.NotEqual(t, byte('\''), inner[i])
			}
		}
	})
}

func FuzzVersion(f *testing.F) {
	f.Add(capture(f, "2025.0/version.txt"))
	f.Fuzz(func(t *testing.T, out []byte) {
		version, err := newCLI(t, "linux", printing(out)).Version(t.Context())
		if err == nil {
			assert.LessOrEqual(t, len(version), 200)
			assert.False(t, strings.ContainsAny(version, "\x00\n\r\x1b"))
		}
	})
}
