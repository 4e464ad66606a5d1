//go:build unix

package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/ca/catest"
)

// portOf returns the port that a server said it is ready at.
func portOf(t *testing.T, p *process) string {
	t.Helper()
	_, address, ok := strings.Cut(strings.TrimSpace(p.first), " is ready at ")
	require.True(t, ok, "%q %s", p.first, p.stderr)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestAViewerComesThroughAGateway has a gateway with a certificate of its own ask
// a resolver that wants one, and a viewer that believes that CA alone.
func TestAViewerComesThroughAGateway(t *testing.T) {
	w := newWorld(t)
	port, err := strconv.Atoi(w.port)
	require.NoError(t, err)
	authority := catest.New(t)
	resolver := httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/resolveSession?sessionId=s&transport=HTTP", r.RequestURI)
		_, _ = fmt.Fprintf(out, `{"SessionId":"s","TransportProtocol":"HTTP","DcvServerEndpoint":"ws1.localhost","Port":%d,"WebUrlPath":"/"}`, port)
	}))
	resolver.TLS = &tls.Config{
		Certificates: []tls.Certificate{catest.Issue(t, authority, "resolver", "localhost")},
		ClientCAs:    authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
	resolver.StartTLS()
	t.Cleanup(resolver.Close)
	_, resolverPort, err := net.SplitHostPort(resolver.Listener.Addr().String())
	require.NoError(t, err)

	cert, key := pemPair(t, catest.Issue(t, authority, "gw1", "gw1.localhost"))
	caFile := writeFile(t, "ca.pem", string(authority.PEM()))
	gateway := launch(t, "gateway", "--name=gw1.localhost", "--listen=127.0.0.1:0", "--hide-clients",
		"--resolver=https://localhost:"+resolverPort, "--resolver-ca-file", caFile,
		"--resolver-cert-file", cert, "--resolver-cert-key-file", key, "--cert-file", cert, "--cert-key-file", key)
	file := writeFile(t, "s.dcv", "[version]\nformat=1.0\n[connect]\nhost=gw1.localhost\nport="+portOf(t, gateway)+"\nsessionid=s\nauthtoken=s3cret-token\n")
	v := launch(t, "viewer", file)
	require.Equal(t, connected, v.first, "%s %s", v.stderr, gateway.stderr)
	assert.Equal(t, 1, w.connections(t))
	gateway.interrupt(t)
	assert.Equal(t, 0, gateway.end(t))
	assert.Equal(t, 0, v.end(t))
	assert.NotContains(t, gateway.stderr.String(), "s3cret-token")

	strict := launch(t, "gateway", "--listen=127.0.0.1:0", "--hide-clients", "--resolver=https://localhost:"+resolverPort, "--resolver-ca-file", caFile,
		"--resolver-cert-file", cert, "--resolver-cert-key-file", key, "--dcv-ca-file", caFile)
	v = launch(t, "viewer", writeFile(t, "s.dcv", "[version]\nformat=1.0\n[connect]\nhost=localhost\nport="+portOf(t, strict)+"\nsessionid=s\nauthtoken=s3cret-token\n"))
	assert.Equal(t, 1, v.end(t))
	assert.Contains(t, v.stderr.String(), "cannot reach the DCV server", "its certificate is self-signed")
}

// pemPair writes a certificate and its key and returns the files.
func pemPair(t *testing.T, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	var chain strings.Builder
	for _, c := range pair.Certificate {
		require.NoError(t, pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: c}))
	}
	return writeFile(t, "cert.pem", chain.String()), writeFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func TestAGatewayThatCannotStartSaysWhy(t *testing.T) {
	none, empty := filepath.Join(t.TempDir(), "none.pem"), writeFile(t, "empty.pem", "")
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no resolver":            {want: "--resolver URL"},
		"an argument":            {args: []string{"--resolver=https://d", "x"}, want: "flags alone"},
		"an address":             {args: []string{"--resolver=https://192.0.2.1", "--listen=127.0.0.1:0"}, want: "DNS name"},
		"no CA":                  {args: []string{"--resolver=https://d", "--resolver-ca-file", none}, want: "none.pem"},
		"a CA that is none":      {args: []string{"--resolver=https://d", "--dcv-ca-file", empty}, want: "no certificate in PEM"},
		"no certificate":         {args: []string{"--resolver=https://d", "--cert-file", none}, want: "the gateway's certificate"},
		"no certificate to show": {args: []string{"--resolver=https://d", "--resolver-cert-file", none}, want: "the certificate for the resolver"},
		"no place":               {args: []string{"--resolver=https://d", "--listen=256.0.0.1:0"}, want: "256.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, append([]string{"gateway"}, tt.args...)...)
			assert.Equal(t, 1, p.end(t))
			assert.Contains(t, p.stderr.String(), tt.want)
		})
	}
}

// TestAServerObeysADcvConf starts the server with a dcv.conf as a director's
// administrator leaves it, then as after a restart of the service.
func TestAServerObeysADcvConf(t *testing.T) {
	verifier := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<auth result="yes"><username>alice</username></auth>`)
	}))
	t.Cleanup(verifier.Close)
	caFile := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: verifier.Certificate().Raw})))
	conf := writeFile(t, "dcv.conf", "[session-management]\ncreate-session=true\n[session-management/automatic-console-session]\nowner=\"alice\"\n"+
		"[security]\nauth-token-verifier=\""+verifier.URL+"/v1/dcv/verify\"\nca-file=\""+caFile+"\"\nadministrators=[\"broker\"]\n")
	command := program(t, "dcv")
	run := func(user string, args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), command, args...)
		cmd.Env = append(os.Environ(), "FAKEDCV_USER="+user, "FAKEDCV_STATE=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	_, err := run("bob", "create-session", "v")
	require.NoError(t, err)
	state := filepath.Join(filepath.Dir(command), "state")
	serve := []string{"serve", "--state", state, "--name=ws1.localhost", "--listen=127.0.0.1:0", "--dcv-conf", conf}
	server := launch(t, serve...)
	portOf(t, server)
	out, err := run("", "list-sessions")
	require.NoError(t, err)
	assert.Equal(t, "Session: 'v' (owner:bob type:virtual)\n", out, "sessions outlive the server")
	server.interrupt(t)
	assert.Equal(t, 0, server.end(t))

	server = launch(t, append(serve, "--restart")...)
	port := portOf(t, server)
	out, err = run("broker", "list-sessions")
	require.NoError(t, err)
	assert.Equal(t, "Session: 'console' (owner:alice type:console)\n", out)
	out, err = run("bob", "list-sessions")
	require.NoError(t, err)
	assert.Contains(t, out, "no sessions")
	_, err = run("bob", "close-session", "console")
	require.Error(t, err)
	v := launch(t, "viewer", "--for=1ms", writeFile(t, "c.dcv", "[version]\nformat=1.0\n[connect]\nhost=ws1.localhost\nport="+port+"\nsessionid=console\nauthtoken=any\n"))
	assert.Equal(t, "connected: alice on console at ws1.localhost\n", v.first, "%s %s", v.stderr, server.stderr)
	assert.Equal(t, 0, v.end(t))
}
