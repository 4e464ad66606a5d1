package agentclient_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/dcvcli"
)

// FuzzAnswers checks that no answer of a director, whoever that is, makes the
// agent panic or go on with half of what it needs.
func FuzzAnswers(f *testing.F) {
	authority := catest.New(f)
	for _, r := range []dcvix.RegisterResponse{
		{Certificate: string(authority.PEM()), CA: string(authority.PEM()), RenewalIntervalSeconds: 43200},
		{Certificate: string(authority.PEM())},
		{CA: string(authority.PEM()), RenewalIntervalSeconds: -1},
		{Certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", CA: "x"},
	} {
		seed, err := json.Marshal(r)
		require.NoError(f, err)
		f.Add(seed)
	}
	f.Add([]byte(`{"error":"pending approval"}`))
	f.Add([]byte("<!doctype html>"))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		complete, err := agentclient.ParseGrant(body)
		require.Equal(t, err == nil, complete)
		complete, err = agentclient.ParseRenewal(body)
		require.Equal(t, err == nil, complete)
	})
}

// FuzzCreate checks that what gets through to the dcv command is in the grammar.
func FuzzCreate(f *testing.F) {
	f.Add(`{"userId":"ada","sessionType":"Virtual","sessionId":"dcvix_1"}`)
	f.Add(`{"userId":"--help","sessionType":"console","sessionId":"../x"}`)
	f.Add(`{"userId":"a\nb","sessionType":"","sessionId":"` + strings.Repeat("x", 65) + `"}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		asked, err := agentclient.ReadCreate(strings.NewReader(body))
		if err != nil {
			return
		}
		require.NoError(t, asked.UserID.Validate())
		require.NoError(t, asked.SessionID.Validate())
		require.Contains(t, []dcvix.SessionType{dcvix.SessionConsole, dcvix.SessionVirtual}, asked.SessionType)
	})
}

// FuzzClean checks that foreign text cannot forge a line of a log.
func FuzzClean(f *testing.F) {
	f.Add("The host is\nbroken\x1b[31m\u2028\u202e.")
	f.Add(strings.Repeat("ü", 400))
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		got := agentclient.Clean(s)
		assert.LessOrEqual(t, len(got), 300)
		assert.True(t, utf8.ValidString(got))
		for _, r := range got {
			assert.True(t, unicode.IsPrint(r), "%q", got)
		}
	})
}

// FuzzConfig checks that what gets through to the dcv command is no option and no
// second line.
func FuzzConfig(f *testing.F) {
	f.Add(`{"config":[{"section":"display","key":"quality","value":"(30, 80)"}]}`)
	f.Add(`{"config":[{"section":"--help","key":"b=c","value":"1\n2"}]}`)
	f.Add(`{"config":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		asked, err := agentclient.ReadConfig(strings.NewReader(body))
		if err != nil {
			return
		}
		assert.LessOrEqual(t, len(asked.Config), 64)
		for _, s := range asked.Config {
			assert.Regexp(t, `^[a-z][a-z0-9/-]*$`, s.Section)
			assert.Regexp(t, `^[a-z][a-z0-9-]*$`, s.Key)
			assert.NotEmpty(t, s.Value)
			assert.False(t, strings.ContainsFunc(s.Value, unicode.IsControl), s.Value)
		}
	})
}

// FuzzRecord checks that no record of sessions, whatever is in the file, makes the
// agent panic or take every session for its own.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`[{"id":"cad-1","owner":"ada","type":"virtual","created":"2026-03-05T08:41:12Z"}]`))
	f.Add([]byte(`[{"id":"","created":null}]`))
	f.Add([]byte(`{"sessions":`))
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(t.TempDir(), agentclient.SessionsFile)
		require.NoError(t, os.WriteFile(path, file, 0o600))
		assert.False(t, agentclient.RecordTakes(path, dcvcli.Session{ID: "a session of nobody", Owner: "nobody", Type: "virtual"}))
	})
}
