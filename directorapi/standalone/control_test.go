package standalone_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/directorapi/client"
	"github.com/dcvix/dcvix/directorapi/standalone"
)

func TestServeControlIsForASocketAlone(t *testing.T) {
	dir, err := os.MkdirTemp("", "dcvix") //nolint:usetesting // its path may be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := open(t, t.TempDir(), options(t))
	for network, tt := range map[string]struct {
		address string
		want    int
	}{
		"unix": {filepath.Join(dir, "control.sock"), http.StatusOK},
		"tcp":  {"127.0.0.1:0", http.StatusUnauthorized},
	} {
		t.Run(network, func(t *testing.T) {
			ln, err := new(net.ListenConfig).Listen(t.Context(), network, tt.address)
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- s.ServeControl(ctx, ln) }()
			transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
			}}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://local"+dcvix.PathAdminAgents, nil)
			require.NoError(t, err)
			resp, err := transport.RoundTrip(req)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, resp.StatusCode, "%s", body)

			stop()

			require.NoError(t, <-served)
			_, err = new(net.Dialer).DialContext(t.Context(), network, ln.Addr().String())
			assert.Error(t, err, "nobody is there any more")
		})
	}
}

// A portal lets admins on its machine approve agents without a login, over a
// socket that its own user alone can reach: the folder is closed to others.
func ExampleServer_ServeControl() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	dir, err := os.MkdirTemp("", "director") // 0700
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	director, err := standalone.Open(ctx, dir, standalone.Options{Authenticator: authtest.Static{}, Logger: slog.New(slog.DiscardHandler)})
	check(err)
	defer func() { _ = director.Close() }()
	socket, err := new(net.ListenConfig).Listen(ctx, "unix", filepath.Join(dir, "control.sock"))
	check(err)
	served := make(chan error, 1)
	go func() { served <- director.ServeControl(ctx, socket) }()

	operator, err := client.New(client.Config{
		URL: "https://director", // plain HTTP all the same: the dialer says that there is nothing to encrypt
		Transport: &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "control.sock"))
		}},
	})
	check(err)
	defer operator.Close()
	pending, err := operator.Agents(ctx, dcvix.AgentPending)
	check(err)
	fmt.Println(len(pending), "agents wait")
	stop()
	check(<-served)
	// Output: 0 agents wait
}
