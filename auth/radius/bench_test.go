package radius_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	radiuslib "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/dcvix/dcvix/auth/radius"
)

// BenchmarkLogin and BenchmarkBareExchange ask the same server on loopback: what
// the first takes more is what checking costs.
func BenchmarkLogin(b *testing.B) {
	backend, err := radius.New(radius.Config{
		Servers: []string{serve(b, always(reply{code: accept}))}, Secret: secret, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := backend.Authenticate(b.Context(), alice); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareExchange(b *testing.B) {
	address := serve(b, always(reply{code: accept}))
	b.ReportAllocs()
	for b.Loop() {
		p := radiuslib.New(radiuslib.CodeAccessRequest, []byte(secret))
		if rfc2865.UserName_SetString(p, "alice") != nil || rfc2865.UserPassword_SetString(p, "wonder") != nil {
			b.Fatal("attributes")
		}
		if _, err := radiuslib.Exchange(context.Background(), p, address); err != nil {
			b.Fatal(err)
		}
	}
}
