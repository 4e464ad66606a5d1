package ca_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
)

// reloading runs a test of a Reloader in virtual time, over a pair signed by a
// CA that also issues others.
type reloading struct {
	*ca.Reloader
	t    *testing.T
	a    *ca.Authority
	dir  string
	mu   sync.Mutex
	log  bytes.Buffer // guarded by mu
	next int          // content of the files grows, so that their size tells versions apart
}

func withReloader(t *testing.T, test func(*reloading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &reloading{t: t, a: catest.New(t), dir: t.TempDir()}
		r.issue()
		var err error
		r.Reloader, err = ca.NewReloader(r.path(ca.ServerCertFile), r.path(ca.ServerKeyFile), slog.New(slog.NewTextHandler(r, nil)))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- r.Run(ctx) }()
		test(r)
		cancel()
		require.NoError(t, <-ran)
	})
}

func (r *reloading) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(line)
}

func (r *reloading) logged() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *reloading) path(name string) string { return filepath.Join(r.dir, name) }

// issue places a new pair and returns its serial number.
func (r *reloading) issue() string {
	r.t.Helper()
	r.next++
	names := strings.Split(strings.Repeat("director.lab ", r.next), " ")
	require.NoError(r.t, os.RemoveAll(r.path(ca.ServerKeyFile)))
	_, err := r.a.EnsureServer(r.dir, director(names[:r.next]...))
	require.NoError(r.t, err)
	chain, err := ca.ReadCertFile(r.path(ca.ServerCertFile))
	require.NoError(r.t, err)
	return chain[0].SerialNumber.Text(16)
}

func (r *reloading) served() string {
	r.t.Helper()
	synctest.Wait()
	pair, err := r.GetCertificate(nil)
	require.NoError(r.t, err)
	client, err := r.GetClientCertificate(nil)
	require.NoError(r.t, err)
	assert.Same(r.t, pair, client)
	return pair.Leaf.SerialNumber.Text(16)
}

func TestAChangedPairIsServedWithin30Seconds(t *testing.T) {
	withReloader(t, func(r *reloading) {
		first := r.served()
		second := r.issue()
		require.NotEqual(t, first, second)
		assert.Equal(t, first, r.served())
		time.Sleep(30 * time.Second)
		assert.Equal(t, second, r.served())
		assert.Equal(t, 1, strings.Count(r.logged(), "certificate reloaded"))
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, 1, strings.Count(r.logged(), "\n"), "what did not change is not read again")
	})
}

func TestTheLastGoodPairStaysThroughHalfWrittenFiles(t *testing.T) {
	withReloader(t, func(r *reloading) {
		first := r.served()
		whole := snapshot(t, r.dir)
		second := r.issue()
		newer := snapshot(t, r.dir)
		for name, files := range map[string]map[string]string{
			"half a certificate":                  {ca.ServerCertFile: newer[ca.ServerCertFile][:100], ca.ServerKeyFile: newer[ca.ServerKeyFile]},
			"no certificate":                      {ca.ServerCertFile: "", ca.ServerKeyFile: newer[ca.ServerKeyFile]},
			"half a key":                          {ca.ServerCertFile: newer[ca.ServerCertFile], ca.ServerKeyFile: newer[ca.ServerKeyFile][:50]},
			"the new certificate, the key before": {ca.ServerCertFile: newer[ca.ServerCertFile], ca.ServerKeyFile: whole[ca.ServerKeyFile]},
		} {
			for file, content := range files {
				write(t, r.dir, file, content, 0o600)
			}
			time.Sleep(30 * time.Second)
			assert.Equal(t, first, r.served(), name)
		}
		require.NoError(t, os.Remove(r.path(ca.ServerKeyFile)))
		time.Sleep(30 * time.Second)
		assert.Equal(t, first, r.served(), "no key")
		require.Error(t, r.Reload())
		assert.Equal(t, first, r.served())

		for file, content := range newer {
			write(t, r.dir, file, content, 0o600)
		}
		time.Sleep(30 * time.Second)
		assert.Equal(t, second, r.served())
	})
}

func TestABadFileIsLoggedOnce(t *testing.T) {
	withReloader(t, func(r *reloading) {
		write(t, r.dir, ca.ServerCertFile, "bad", 0o644)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, 1, strings.Count(r.logged(), "the one before stays"), r.logged())
		write(t, r.dir, ca.ServerCertFile, "bad in another way", 0o644)
		time.Sleep(time.Hour)
		synctest.Wait()
		assert.Equal(t, 2, strings.Count(r.logged(), "the one before stays"))
	})
}

func TestTheRemedyOfARefusedKeyHelpsWithoutARestart(t *testing.T) {
	cannotTakeAway(t)
	withReloader(t, func(r *reloading) {
		second := r.issue()
		chmod(t, r.dir, ca.ServerKeyFile, 0o640)
		time.Sleep(time.Hour)
		require.NotEqual(t, second, r.served())
		require.Equal(t, 1, strings.Count(r.logged(), remedy), r.logged())
		chmod(t, r.dir, ca.ServerKeyFile, 0o600) // changes neither time nor size of the file
		time.Sleep(30 * time.Second)
		assert.Equal(t, second, r.served())
	})
}

func TestAReloaderStartsOnlyWithAGoodPair(t *testing.T) {
	dir := t.TempDir()
	r, err := ca.NewReloader(filepath.Join(dir, "x.crt"), filepath.Join(dir, "x.key"), nil)
	require.Error(t, err)
	assert.Nil(t, r)
}
