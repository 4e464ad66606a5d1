package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
)

func TestSecretNeverPrints(t *testing.T) {
	const word = "tulip-9"
	secret := auth.Secret(word)
	holder := struct{ Password auth.Secret }{secret}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb, secret, holder)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("password", secret), slog.Any("holder", holder))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", slog.Any("password", secret), slog.Any("holder", holder))
	require.NoError(t, json.NewEncoder(&out).Encode(holder))

	assert.Contains(t, out.String(), "[redacted]")
	assert.NotContains(t, out.String(), word)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", word))
}

func TestCheckRefusesWhatNoBackendMustSee(t *testing.T) {
	tests := map[string]struct {
		user, password string
		ok             bool
	}{
		"a plain name":            {user: "alice", password: "x", ok: true},
		"a Windows name":          {user: `LAB\alice`, password: "x", ok: true},
		"a name with an at sign":  {user: "alice@lab", password: "x", ok: true},
		"no name":                 {password: "x"},
		"no password":             {user: "alice"},
		"a newline in the name":   {user: "alice\nroot", password: "x"},
		"a NUL in the name":       {user: "alice\x00", password: "x"},
		"a C1 control":            {user: "alice\u0085", password: "x"},
		"a name like an option":   {user: "-alice", password: "x"},
		"a name of 257 bytes":     {user: strings.Repeat("a", 257), password: "x"},
		"a name that isn't UTF-8": {user: "al\xffice", password: "x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := auth.Credentials{User: tt.user, Password: auth.Secret(tt.password)}.Check()
			assert.Equal(t, tt.ok, err == nil, "%v", err)
			if !tt.ok {
				assert.ErrorIs(t, err, auth.ErrInvalidCredentials)
			}
		})
	}
}

// A backend of your own is one function.
func ExampleAuthenticatorFunc() {
	backend := auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		if c.User != "alice" || string(c.Password) != "wonder" {
			return auth.Identity{}, auth.ErrInvalidCredentials
		}
		return auth.Identity{User: "alice", Groups: []string{"cad"}}, nil
	})
	who, err := backend.Authenticate(context.Background(), auth.Credentials{User: "alice", Password: "wonder"})
	fmt.Println(who.User, err)
	_, err = backend.Authenticate(context.Background(), auth.Credentials{User: "alice", Password: "guess"})
	fmt.Println(errors.Is(err, auth.ErrInvalidCredentials))
	// Output:
	// alice <nil>
	// true
}
