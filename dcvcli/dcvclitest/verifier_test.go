package dcvclitest_test

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

const yesToAlice = `<auth result="yes"><username>alice</username></auth>`

// TestTheVerifierIsAskedExactlyAsARealServerAsks compares every byte with the
// form of a captured request: three fields in this order, form-encoded, the
// client's address with its port, and these headers.
func TestTheVerifierIsAskedExactlyAsARealServerAsks(t *testing.T) {
	tests := map[string]struct{ path, want string }{
		"with a path":           {path: "/v1/dcv/verify", want: "/v1/dcv/verify"},
		"with a trailing slash": {path: "/v1/dcv/verify/", want: "/v1/dcv/verify/"},
		"without a path":        {path: "", want: "/"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, listener.Close()) })
			asked := make(chan string, 1)
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
				asked <- readRequest(conn)
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s", len(yesToAlice), yesToAlice)
			}()
			server := start(t, dcvclitest.ServerConfig{VerifierURL: "http://" + listener.Addr().String() + tt.path})
			conn := server.mustDial(t, "s", "Zk3_9-aQ 0b&x=é")
			state, err := server.dcv.State()
			require.NoError(t, err)
			_, port, err := net.SplitHostPort(state.Sessions[0].Connections[0].Address)
			require.NoError(t, err)
			body := "sessionId=s&authenticationToken=Zk3_9-aQ+0b%26x%3D%C3%A9&clientAddress=127.0.0.1%3A" + port
			assert.Equal(t, "POST "+tt.want+" HTTP/1.1\r\n"+
				"Host: "+listener.Addr().String()+"\r\n"+
				"User-Agent: DCV/2025.0 (r20103)\r\n"+
				"Accept-Encoding: gzip, deflate\r\n"+
				"Content-Type: application/x-www-form-urlencoded\r\n"+
				fmt.Sprintf("Content-Length: %d\r\n", len(body))+
				"\r\n"+body, <-asked)
			conn.Close()
		})
	}
}

// readRequest reads up to the body's last field, of which the port is the end.
func readRequest(conn net.Conn) string {
	var got bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		head, body, _ := strings.Cut(got.String(), "\r\n\r\n")
		_, length, _ := strings.Cut(head, "Content-Length: ")
		if err != nil || length != "" && length == strconv.Itoa(len(body)) {
			return got.String()
		}
	}
}

func TestTheVerifierMayCompress(t *testing.T) {
	gzipped := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	deflated := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	tests := map[string]struct {
		encoding string
		writer   func(io.Writer) io.WriteCloser
		refused  bool
	}{
		"gzip":    {encoding: "gzip", writer: gzipped},
		"deflate": {encoding: "deflate", writer: deflated},
		"brotli":  {encoding: "br", writer: gzipped, refused: true},
		"a lie":   {encoding: "deflate", writer: gzipped, refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			verifier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", tt.encoding)
				body := tt.writer(w)
				_, _ = io.WriteString(body, yesToAlice)
				_ = body.Close()
			}))
			defer verifier.Close()
			server := start(t, dcvclitest.ServerConfig{VerifierURL: verifier.URL})
			conn, err := server.dial(t, "s", "any")
			if tt.refused {
				require.ErrorIs(t, err, dcvclitest.ErrRefused)
				return
			}
			require.NoError(t, err)
			conn.Close()
		})
	}
}

func TestTheVerifiersCertificateIsChecked(t *testing.T) {
	verifier := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, yesToAlice) }))
	t.Cleanup(verifier.Close)
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: verifier.Certificate().Raw})
	_, port, err := net.SplitHostPort(verifier.Listener.Addr().String())
	require.NoError(t, err)
	file := func(t *testing.T, content []byte) string {
		path := filepath.Join(t.TempDir(), "ca.pem")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	tests := map[string]struct {
		cfg func(t *testing.T) dcvclitest.ServerConfig
		log string // "" means that alice gets in
	}{
		"the right CA": {cfg: func(t *testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: verifier.URL, CAFile: file(t, good)}
		}},
		"the right CA as a pool": {cfg: func(*testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: verifier.URL, VerifierCA: verifier.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		}},
		"no-tls-strict": {cfg: func(*testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: verifier.URL, NoTLSStrict: true}
		}},
		"the system's CAs": {log: "certificate", cfg: func(*testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: verifier.URL}
		}},
		"a file that is no certificate": {log: "has no certificate in PEM", cfg: func(t *testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: verifier.URL, CAFile: file(t, []byte("soon"))}
		}},
		"another name": {log: "not localhost", cfg: func(t *testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{VerifierURL: "https://localhost:" + port, CAFile: file(t, good)}
		}},
		"a certificate of the future": {log: "not yet valid", cfg: func(t *testing.T) dcvclitest.ServerConfig {
			return dcvclitest.ServerConfig{
				VerifierURL: verifier.URL, CAFile: file(t, good),
				Now: func() time.Time { return time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC) },
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := start(t, tt.cfg(t))
			conn, err := server.dial(t, "s", "any")
			if tt.log == "" {
				require.NoError(t, err)
				conn.Close()
				return
			}
			require.ErrorIs(t, err, dcvclitest.ErrRefused)
			assert.Contains(t, server.logs.String(), tt.log)
		})
	}
}

func TestTheCAMayComeLater(t *testing.T) {
	verifier := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, yesToAlice) }))
	t.Cleanup(verifier.Close)
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	server := start(t, dcvclitest.ServerConfig{VerifierURL: verifier.URL, CAFile: caFile})
	_, err := server.dial(t, "s", "any")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
	assert.Contains(t, server.logs.String(), "is not there yet")

	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: verifier.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, good, 0o600))
	server.mustDial(t, "s", "any")
}

func TestADialCanInsistOnACertificate(t *testing.T) {
	server := start(t, dcvclitest.ServerConfig{VerifierURL: tokens(t)})
	_, err := dcvclitest.Dial(t.Context(), dcvclitest.Target{
		Host: "ws1.localhost", Port: server.port, Session: "s", Token: "token-of-alice", TLS: &tls.Config{MinVersion: tls.VersionTLS12},
	})
	require.Error(t, err)
	assert.NotErrorIs(t, err, dcvclitest.ErrRefused)
}
