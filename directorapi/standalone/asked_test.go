package standalone_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesThatTheCertificateLacksAreSaidOnceAndNotForEver(t *testing.T) {
	var log bytes.Buffer
	opts := options(t)
	opts.Names = []string{"director.example"}
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, t.TempDir(), opts)
	conf := s.TLSConfig()
	ask := func(name string) {
		pair, err := conf.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		require.NoError(t, err)
		assert.NotNil(t, pair, "whatever is asked for")
	}
	for _, good := range []string{"director.example", "localhost", ""} { // none: by address
		ask(good)
	}
	assert.NotContains(t, log.String(), "server_names")
	for range 3 {
		ask("alias.example")
	}
	assert.Equal(t, 1, strings.Count(log.String(), "add it to server_names if it is this director's"))
	assert.Contains(t, log.String(), "name=alias.example")
	for i := range 1000 {
		ask(fmt.Sprintf("scan%d.example", i))
	}
	assert.Equal(t, 100, strings.Count(log.String(), "server_names"))
}
