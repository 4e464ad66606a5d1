package ca_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
)

// rewriteEnv makes the test binary a child that rewrites one file for ever.
const rewriteEnv = "DCVIX_TEST_REWRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(rewriteEnv); path != "" { //nolint:forbidigo // how the test speaks with its child
		rewriteForEver(path)
	}
	os.Exit(m.Run()) //nolint:forbidigo // TestMain has to
}

// content is whole when it is n copies of one letter.
func content(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i%26)}, 64<<10+i%1000) }

func rewriteForEver(path string) {
	for i := 0; ; i++ {
		if err := ca.WriteFile(path, content(i), 0o600); err != nil {
			panic(err)
		}
	}
}

func TestAFileIsWholeWhenItsWriterIsKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.key")
	require.NoError(t, ca.WriteFile(path, content(0), 0o600))
	for range 12 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond+rand.N(40*time.Millisecond))
		child := exec.CommandContext(ctx, os.Args[0])
		child.Env = append(os.Environ(), rewriteEnv+"="+path)
		output, err := child.CombinedOutput() // ends with the kill
		cancel()
		require.Error(t, err)
		require.Empty(t, string(output))

		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, got)
		require.Equal(t, bytes.Repeat(got[:1], len(got)), got, "old or new, and nothing of both")
		require.GreaterOrEqual(t, len(got), 64<<10)
		mode(t, path, 0o600)
	}
	require.NoError(t, ca.WriteFile(path, []byte("after"), 0o600), "what a killed writer left is no obstacle")
	assert.Len(t, snapshot(t, dir), 1, "and is gone")
}

func TestReadersSeeTheOldFileOrTheNewOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.crt")
	require.NoError(t, ca.WriteFile(path, content(0), 0o644))
	done := make(chan error)
	go func() {
		var err error
		for i := range 200 {
			err = errors.Join(err, ca.WriteFile(path, content(i), 0o644))
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
		}
		got, err := os.ReadFile(path)
		if busy(err) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat(got[:1], len(got)), got)
	}
}

func TestAFileHasItsPermissionsFromTheFirstInstant(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ca.key")
	stop, seen := make(chan struct{}), make(chan map[string]bool)
	go func() {
		bad := make(map[string]bool)
		for {
			select {
			case <-stop:
				seen <- bad
				return
			default:
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if info, err := e.Info(); err == nil && wide(info, filepath.Join(dir, e.Name())) {
					bad[fmt.Sprint(e.Name(), " ", info.Mode())] = true
				}
			}
		}
	}()
	for i := range 200 {
		require.NoError(t, ca.WriteKeyFile(path, content(i)))
	}
	close(stop)
	assert.Empty(t, <-seen, "also under its temporary name")
}

func TestAnOlderFileWithMorePermissionsGetsFewer(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "agent.key", "old", 0o644)
	write(t, dir, ".agent.key.tmp", "left by a killed writer", 0o644)
	require.NoError(t, ca.WriteKeyFile(filepath.Join(dir, "agent.key"), []byte("new")))
	mode(t, filepath.Join(dir, "agent.key"), 0o600)
	assert.Equal(t, map[string]string{"agent.key": "new"}, snapshot(t, dir))
}

func TestAFullDiskLeavesTheOldFile(t *testing.T) {
	dir := smallDisk(t)
	path := filepath.Join(dir, "ca.pem")
	require.NoError(t, ca.WriteFile(path, []byte("old"), 0o644))

	err := ca.WriteFile(path, make([]byte, 1<<20), 0o644)

	require.ErrorContains(t, err, path)
	assert.Equal(t, map[string]string{"ca.pem": "old"}, snapshot(t, dir), "and nothing else is left on the disk")
}

func TestWriteFileSaysWhichFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent", "ca.pem")
	assert.ErrorContains(t, ca.WriteFile(path, nil, 0o600), path)
}

func TestKeyFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.key")
	_, err := ca.ReadKeyFile(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, ca.CheckKeyFile(path), fs.ErrNotExist)

	made, err := ca.OpenKey(path)
	require.NoError(t, err)
	mode(t, path, 0o600)
	again, err := ca.OpenKey(path)
	require.NoError(t, err)
	assert.Equal(t, made, again)

	chmod(t, dir, "agent.key", 0o640)
	before := snapshot(t, dir)
	_, err = ca.OpenKey(path)
	require.ErrorIs(t, err, ca.ErrInsecureKey)
	require.ErrorContains(t, err, path+" is readable by others: "+remedy+path)
	assert.Equal(t, before, snapshot(t, dir))
}

func TestOpenKeyNeverReplacesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "agent.key", "damaged", 0o600)
	key, err := ca.OpenKey(filepath.Join(dir, "agent.key"))
	require.Error(t, err)
	assert.Nil(t, key)
	assert.Equal(t, map[string]string{"agent.key": "damaged"}, snapshot(t, dir))
	_, err = ca.OpenKey(filepath.Join(dir, "absent", "agent.key"))
	assert.Error(t, err, "a key that could not be kept is not used")
}

func TestFingerprintsAreWhatOpenSSLPrints(t *testing.T) {
	tool, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" { //nolint:forbidigo // a skip is a failure there
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	dir := t.TempDir()
	a := open(t, dir)
	out, err := exec.CommandContext(t.Context(), tool, "x509", "-noout", "-fingerprint", "-sha256", "-in", filepath.Join(dir, ca.CertFile)).Output()
	require.NoError(t, err)
	_, printed, ok := bytes.Cut(bytes.TrimSpace(out), []byte("="))
	require.True(t, ok, "%s", out)
	assert.Equal(t, string(printed), ca.FingerprintOf(a.Certificate()).String())

	read, err := ca.ParseFingerprint(string(printed))
	require.NoError(t, err)
	assert.Equal(t, ca.FingerprintOf(a.Certificate()), read)

	pub := exec.CommandContext(t.Context(), "sh", "-c", `openssl pkey -in "$1" -pubout -outform DER | openssl dgst -sha256 -r`, "sh", filepath.Join(dir, ca.KeyFile))
	out, err = pub.Output()
	require.NoError(t, err)
	want, err := ca.ParseFingerprint(string(bytes.Fields(out)[0]))
	require.NoError(t, err)
	got, err := ca.KeyFingerprint(a.Certificate().PublicKey)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestParseFingerprint(t *testing.T) {
	f, err := ca.KeyFingerprint(newEC(t, elliptic.P256()).Public())
	require.NoError(t, err)
	upper := f.String()
	assert.Regexp(t, `^[0-9A-F]{2}(:[0-9A-F]{2}){31}$`, upper)
	bare := hex.EncodeToString(f[:])
	for name, text := range map[string]string{
		"as written": upper, "lower case": strings.ToLower(upper), "mixed": strings.ToLower(upper[:48]) + upper[48:],
		"lower case without colons": bare, "upper case without colons": strings.ToUpper(bare), "with space around": " " + upper + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ca.ParseFingerprint(text)
			require.NoError(t, err)
			assert.Equal(t, f, got)
		})
	}
	for name, text := range map[string]string{
		"empty": "", "too short": bare[:62], "too long": bare + "00", "no hex": "zz" + bare[2:], "SHA-1": bare[:40], "space inside": bare[:2] + " " + bare[2:],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ca.ParseFingerprint(text)
			assert.ErrorContains(t, err, "give 32 pairs of hex digits")
		})
	}
	_, err = ca.KeyFingerprint("no key")
	assert.Error(t, err)
}
