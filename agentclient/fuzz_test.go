package agentclient_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca/catest"
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
