package ca_test

import (
	"bytes"
	"crypto/elliptic"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
)

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
