package directorcmd_test

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
)

// blocks returns the code blocks of one language in a document, each with the
// heading that it stands under.
func blocks(t *testing.T, document, language string) (headings, texts []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../docs", document))
	require.NoError(t, err)
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		for _, block := range strings.Split(body, "```"+language+"\n")[1:] {
			example, _, _ := strings.Cut(block, "```")
			headings, texts = append(headings, heading), append(texts, example)
		}
	}
	return headings, texts
}

// exampleSite makes the files that the examples name, in a folder that stands for
// /etc/dcvix-director and /usr/local/bin.
func exampleSite(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	authority, err := ca.Open(filepath.Join(dir, "ca"), ca.Config{})
	require.NoError(t, err)
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw})
	for name, content := range map[string]string{
		"ldap.password": secret, "radius.secret": secret, "pi.key": secret, "directory-ca.pem": string(root), "pi-ca.pem": string(root),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	for _, name := range []string{"check-login", "check-code"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 1\n"), 0o700))
	}
	return dir
}

// The examples of the documents start as they are copied. That of PAM is tried by TestPeopleLogInThroughPAM, because it needs a file in /etc/pam.d.
func TestTheExamplesOfTheDocumentStart(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the examples are of Unix")
	}
	headings, examples := blocks(t, "authentication.md", "ini")
	more, others := blocks(t, "network.md", "ini")
	headings, examples = append(headings, more...), append(examples, others...)
	started := make(map[string]int)
	for i, example := range examples {
		if headings[i] == "PAM" || !strings.HasPrefix(example, "[") {
			continue
		}
		dir := exampleSite(t)
		example = strings.NewReplacer("/etc/dcvix-director/", dir+"/", "/usr/local/bin/", dir+"/").Replace(example)
		if !strings.HasPrefix(example, "[director]") { // it goes with every backend
			example = "[director]\n" + example
		}
		if !strings.Contains(example, "auth_type") {
			example = strings.Replace(example, "[director]\n", "[external_auth]\nexternal_command = "+dir+"/check-login\n[director]\nauth_type = external\n", 1)
		}
		example = strings.Replace(example, "[director]\n", "[director]\ndirector_host = 127.0.0.1\ndirector_port = 0\ndata_dir = data\ntoken_key_file = key\n", 1)
		path := filepath.Join(dir, "dcvix-director.conf")
		require.NoError(t, os.WriteFile(path, []byte(example), 0o600))

		r, _ := start(t, process(t, "--conf", path))

		assert.NotContains(t, r.said(), "level=WARN", example)
		assert.NotContains(t, r.said(), "in clear", example)
		started[headings[i]]++
	}
	assert.Equal(t, map[string]int{
		"LDAP": 2, "RADIUS": 1, "An external command": 1, "One-time passwords": 1, "privacyIDEA": 1, "Throttling": 1,
		"A connection gateway": 1, "A reverse proxy": 1,
	}, started)
}

// The script of docs/authentication.md lets in who is in its list, and nobody else.
func TestTheScriptOfTheDocumentChecksLogins(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("openssl is not here")
	}
	headings, scripts := blocks(t, "authentication.md", "sh")
	require.Contains(t, headings, "An external command")
	dir := t.TempDir()
	script, people := filepath.Join(dir, "check-login"), filepath.Join(dir, "people")
	for i, text := range scripts {
		if headings[i] == "An external command" {
			text = strings.ReplaceAll(text, "/etc/dcvix-director/people", people)
			require.NoError(t, os.WriteFile(script, []byte(text), 0o700))
		}
	}
	check := func(input string) int {
		cmd := exec.CommandContext(t.Context(), script)
		cmd.Stdin = strings.NewReader(input)
		_ = cmd.Run() // its code says it
		return cmd.ProcessState.ExitCode()
	}
	assert.Equal(t, 2, check("alice\nwonder land$x\n\n"), "without its list it cannot tell")
	hash := exec.CommandContext(t.Context(), "openssl", "passwd", "-6", "-stdin")
	hash.Stdin = strings.NewReader("wonder land$x")
	made, err := hash.Output()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(people, []byte("bob:$6$x$y\nalice:"+string(made)), 0o600))
	for input, want := range map[string]int{
		"alice\nwonder land$x\n\n": 0, "alice\nwrong\n\n": 1, "alice\n\n\n": 1, "bob\nwonder land$x\n\n": 1, "carol\nx\n\n": 1,
		".*\nwonder land$x\n\n": 1, "alic\nwonder land$x\n\n": 1, "$(id)\nx\n\n": 1, "": 2,
	} {
		assert.Equal(t, want, check(input), "%q", input)
	}
}
