//go:build unix

package agentcmd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/directorcmd"
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/agent.md")
	require.NoError(t, err)
	return string(text)
}

// codeOf returns the code blocks of a language in docs/agent.md.
func codeOf(t *testing.T, language string) []string {
	t.Helper()
	var blocks []string
	for _, found := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(document(t), -1) {
		blocks = append(blocks, found[1])
	}
	return blocks
}

// The commands of docs/agent.md, in their order, take a host from nothing to all
// well and back. Those of systemd are done by hand here.
func TestTheCommandsOfTheDocumentSetAHostUp(t *testing.T) {
	h := newHost(t)
	settings := h.read("etc/dcv.conf")
	var last result
	h.startAgent("waiting for an admin")
	for line := range strings.Lines(strings.Join(codeOf(t, "sh"), "")) {
		words := strings.Fields(line)
		switch words[0] {
		case "systemctl":
			if strings.HasPrefix(line, "systemctl disable") {
				require.NoError(t, h.agent.Process.Signal(os.Interrupt))
				require.NoError(t, h.agent.Wait())
			}
		case "dcvix-director":
			if words[2] == "approve" {
				h.approve()
				h.awaitListening()
				continue
			}
			guid := strings.TrimSpace(h.read("data/agent.guid"))
			args := strings.Fields(strings.ReplaceAll(strings.Join(words[1:], " "), "GUID", guid))
			out := &buffer{}
			assert.Zero(t, directorcmd.Run(t.Context(), directorcmd.Options{
				Args: append([]string{"--conf", h.path("director.conf")}, args...), Environ: []string{}, Stdout: out, Stderr: out,
			}), "%s%s", line, out)
		case "dcvix-agent":
			last = h.run(append(words[1:], "--dcv-conf", h.path("etc/dcv.conf"))...)
			assert.Zero(t, last.code, "%s%s%s", line, last.stdout, last.stderr)
			if words[1] == "doctor" && len(words) == 2 {
				assert.Contains(t, last.stdout, "all well")
			}
		default:
			t.Errorf("nobody runs %q", line)
		}
	}
	assert.Contains(t, last.stdout, "Undone.")
	assert.Equal(t, settings, h.read("etc/dcv.conf"))
}

func TestTheConfigurationOfTheDocumentLoads(t *testing.T) {
	blocks := codeOf(t, "ini")
	require.Len(t, blocks, 1)
	path := filepath.Join(t.TempDir(), "dcvix-agent.conf")
	require.NoError(t, os.WriteFile(path, []byte(blocks[0]), 0o600))
	got := finish(t, process(t, "setup-dcv", "--conf", path, "--dcv-conf", path, "--dry-run", "--ca-file", "/nothing"))
	assert.Contains(t, got.stderr, "there is no CA of the director in /nothing", "it got as far")
}

// What the document quotes of the doctor, the doctor says.
func TestTheDocumentQuotesTheDoctor(t *testing.T) {
	var said strings.Builder
	sources, err := filepath.Glob("doctor/*.go")
	require.NoError(t, err)
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		said.Write(text)
	}
	_, table, found := strings.Cut(document(t), "| the doctor says |")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	quotes := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1)
	require.NotEmpty(t, quotes)
	for _, quote := range quotes {
		assert.Contains(t, said.String(), quote[1])
	}
	for line := range strings.Lines(codeOf(t, "text")[0]) {
		if !strings.Contains(line, "$ ") {
			assert.LessOrEqual(t, len(line), 81, line)
		}
	}
}
