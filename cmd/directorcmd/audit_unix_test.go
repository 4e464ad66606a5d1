//go:build unix

package directorcmd_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

func TestAChangeOfTheAuditIsFound(t *testing.T) {
	path := home(t, conf(t, "", ""), waits(1, "ws1"), waits(2, "ws2"), waits(3, "ws3"))
	done(t, path, "agents", "approve", "--all", "--yes")
	file := placesOf(path).Audit
	assert.Regexp(t, `^\d+ records, an unbroken chain: `, done(t, path, "audit", "verify"))
	assert.Equal(t, done(t, path, "audit", "verify"), done(t, path, "audit", "verify", file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := bytes.SplitAfter(text, []byte("\n"))
	require.Greater(t, len(lines), 3)
	forged := map[string][]byte{
		"a changed line": bytes.Replace(text, []byte("pending ws"), []byte("pending wx"), 1), // not the last, which nothing vouches for yet
		"a removed line": bytes.Join(append(append([][]byte{}, lines[0]), lines[2:]...), nil),
		"an added line":  bytes.Join(append(append([][]byte{}, lines[0], lines[0]), lines[1:]...), nil),
		"a moved line":   bytes.Join(append(append([][]byte{}, lines[1], lines[0]), lines[2:]...), nil),
	}
	for name, content := range forged {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, content, 0o600))
			got := say(t, path, "audit", "verify")
			assert.Equal(t, directorcmd.ExitFailure, got.code)
			assert.Regexp(t, ` line \d+: .*\. The \d+ records before are what was written\.\n$`, got.stdout)
			assert.Empty(t, got.stderr)
			got = say(t, path, "audit", "verify", "--json")
			assert.Contains(t, got.stdout, `"reason": "`)
			assert.Equal(t, directorcmd.ExitFailure, got.code)
		})
	}
	got := say(t, path, "audit", "verify", "/nothing/here")
	assert.Contains(t, got.sentence(t), "/nothing")
}
