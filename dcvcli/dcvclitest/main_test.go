package dcvclitest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// TestMain lets this test binary be other programs: started as "dcv" it is the
// fake command, as "writer" it changes the state without end. Either finds the
// state beside the name it was started under.
func TestMain(m *testing.M) {
	dir := filepath.Join(filepath.Dir(os.Args[0]), "state")
	switch strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") {
	case "dcv":
		os.Exit(dcvclitest.Main(dir, os.Args[1:], os.Stdout, os.Stderr)) //nolint:forbidigo // this is a process of its own
	case "writer":
		write(dir)
	default:
		m.Run()
	}
}

// write adds and removes many sessions for ever.
func write(dir string) {
	dcv, err := dcvclitest.New(dcvclitest.Config{Dir: dir})
	for err == nil {
		err = dcv.Update(func(s *dcvclitest.State) error {
			s.Sessions = nil
			for i := range 200 {
				s.Sessions = append(s.Sessions, dcvclitest.Session{ID: fmt.Sprint("s", s.Displays, "-", i), Type: "virtual"})
			}
			s.Displays++
			return nil
		})
	}
	panic(err)
}

func newDCV(t testing.TB, cfg dcvclitest.Config) *dcvclitest.DCV {
	t.Helper()
	dcv, err := dcvclitest.New(cfg)
	require.NoError(t, err)
	return dcv
}

// newCLI returns the real client of the dcv command on a fake one.
func newCLI(t testing.TB, dcv *dcvclitest.DCV, platform string) *dcvcli.CLI {
	t.Helper()
	cli, err := dcvcli.New(dcvcli.Config{Runner: dcv, Platform: platform})
	require.NoError(t, err)
	return cli
}

func set(t testing.TB, dcv *dcvclitest.DCV, faults dcvclitest.Faults) {
	t.Helper()
	require.NoError(t, dcv.Update(func(s *dcvclitest.State) error {
		s.Faults = faults
		return nil
	}))
}

func testLogger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// listen returns a listener on a free port.
func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// runs is what a server and a gateway have in common.
type runs interface {
	Run(ctx context.Context) error
}

// serving runs a server until the test ends.
func serving(t testing.TB, server runs) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

// run runs a DCV server until the test ends and returns its port.
func run(t testing.TB, cfg dcvclitest.ServerConfig) (port int) {
	t.Helper()
	cfg.Listener, cfg.Logger = listen(t), testLogger(t)
	server, err := dcvclitest.NewServer(cfg)
	require.NoError(t, err)
	serving(t, server)
	return cfg.Listener.Addr().(*net.TCPAddr).Port
}
