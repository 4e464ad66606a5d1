//go:build linux && cgo

package pamhelpercmd_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
	"github.com/dcvix/dcvix/auth/pam/conversation"
	"github.com/dcvix/dcvix/cmd/pamhelpercmd"
)

// permit is a service that lets everybody in, so that a login costs nothing but
// its way there.
func permit(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	require.NoError(b, os.WriteFile(filepath.Join(dir, "dcvix"), []byte("auth required pam_permit.so\naccount required pam_permit.so\n"), 0o600))
	return dir
}

// BenchmarkLoginInProcess is a login without a process of its own.
func BenchmarkLoginInProcess(b *testing.B) {
	req := conversation.Request{Version: conversation.Version, Service: "dcvix", ServiceDir: permit(b), User: "alice", Password: []byte("wonder")}
	for b.Loop() {
		if answer := pamhelpercmd.Ask(req); answer.Result != conversation.Success {
			b.Fatal(answer)
		}
	}
}

func helperLogin(b *testing.B) func() {
	helper := filepath.Join(b.TempDir(), pam.HelperName)
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-buildmode=pie", "-ldflags=-s -w", "-o", helper, "../dcvix-pam-helper")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	backend, err := pam.New(pam.Config{Service: "dcvix", ServiceDir: permit(b), Helper: helper, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	return func() {
		if _, err := backend.Authenticate(b.Context(), auth.Credentials{User: "alice", Password: "wonder"}); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkLogin is a login as a director makes it, one after the other.
func BenchmarkLogin(b *testing.B) {
	login := helperLogin(b)
	for b.Loop() {
		login()
	}
}

// BenchmarkLoginParallel is many of them at once.
func BenchmarkLoginParallel(b *testing.B) {
	login := helperLogin(b)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			login()
		}
	})
}
