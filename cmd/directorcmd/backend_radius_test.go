package directorcmd_test

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// radiusServer accepts everybody, and signs nothing. It counts the packets that
// it gets.
func radiusServer(t *testing.T) (address *net.UDPAddr, asked chan *radius.Packet) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	asked = make(chan *radius.Packet, 16)
	server := radius.PacketServer{
		SecretSource: radius.StaticSecretSource([]byte(password)),
		Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			asked <- r.Packet
			assert.NoError(t, w.Write(r.Response(radius.CodeAccessAccept)))
		}),
	}
	served := make(chan error)
	go func() { served <- server.Serve(conn) }()
	t.Cleanup(func() {
		assert.NoError(t, conn.Close())
		assert.Error(t, <-served, "closed")
	})
	return conn.LocalAddr().(*net.UDPAddr), asked
}

func openRadius(t *testing.T, text string) (auth.Authenticator, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.conf")
	require.NoError(t, os.WriteFile(path, []byte("[radius_auth]\n"+text), 0o600))
	set := inifile.New("dcvix-director")
	opener := directorcmd.Backends()["radius"](set.Section("radius_auth"))
	if err := set.Load(inifile.Source{Path: path}); err != nil {
		return nil, err
	}
	return opener(t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func TestTheKeysOfTheRadiusBackendReachIt(t *testing.T) {
	address, asked := radiusServer(t)
	for name, servers := range map[string]string{
		"as 0.1 wrote it": fmt.Sprintf("radius_server = 127.0.0.1\nradius_port = %d", address.Port),
		"a list":          fmt.Sprintf("radius_server = 127.0.0.1:%d, 127.0.0.1:1\nradius_retries = 0", address.Port),
	} {
		t.Run(name, func(t *testing.T) {
			file := servers + "\nradius_secret = " + password + "\nradius_timeout = 20s\nradius_require_message_authenticator = no\nradius_nas_identifier = desk\n"
			backend, err := openRadius(t, file)
			require.NoError(t, err)
			who, err := backend.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder"})
			require.NoError(t, err)
			assert.EqualValues(t, "alice", who.User)
			assert.Equal(t, "desk", rfc2865.NASIdentifier_GetString(<-asked))
		})
	}
}

func TestUnsignedRadiusAnswersAreRefusedByDefault(t *testing.T) {
	address, asked := radiusServer(t)
	backend, err := openRadius(t, fmt.Sprintf("radius_server = %s\nradius_secret = %s\nradius_timeout = 200ms\nradius_retries = 0\n", address, password))
	require.NoError(t, err)
	_, err = backend.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder"})
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.NotNil(t, <-asked)
	assert.Empty(t, asked, "radius_retries = 0")
}

func TestRadiusKeysThatAreRefused(t *testing.T) {
	for name, tt := range map[string]struct{ text, says string }{
		"no server":       {"radius_server =\n", "radius_server"},
		"an empty secret": {"radius_secret =\n", "radius_secret"},
		"a long wait":     {"radius_timeout = 1h\n", "radius_timeout"},
		"a bad server":    {"radius_server = a:b\n", "radius_server"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openRadius(t, tt.text)
			assert.ErrorContains(t, err, tt.says)
		})
	}
}
