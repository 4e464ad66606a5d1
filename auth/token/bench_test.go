package token_test

import (
	"testing"
	"time"

	"aidanwoods.dev/go-paseto"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/token"
)

// The pairs measure what this package adds to the PASETO library: the library is
// given the same claims by hand, and asked for the same afterwards.

var claims = token.Claims{ID: "0123456789abcdef0123456789abcdef", User: "alice", Category: token.User, Groups: []string{"cad", "gpu"}}

func BenchmarkSeal(b *testing.B) {
	s := newSealer(b)
	b.Run("package", func(b *testing.B) {
		for b.Loop() {
			if _, _, err := s.Seal(claims, 2*time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		key := paseto.NewV4SymmetricKey()
		for b.Loop() {
			t := libraryToken(b)
			_ = t.V4Encrypt(key, nil)
		}
	})
}

func libraryToken(b *testing.B) paseto.Token {
	now := time.Now()
	t := paseto.NewToken()
	t.SetIssuedAt(now)
	t.SetNotBefore(now)
	t.SetExpiration(now.Add(2 * time.Hour))
	t.SetJti(claims.ID)
	t.SetString("userID", string(claims.User))
	t.SetString("userCategory", string(claims.Category))
	if err := t.Set("groups", claims.Groups); err != nil {
		b.Fatal(err)
	}
	return t
}

func BenchmarkOpen(b *testing.B) {
	key := token.NewKey()
	s := newSealer(b, key)
	sealed, _, err := s.Seal(claims, 2*time.Hour)
	require.NoError(b, err)
	b.Run("package", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Open(sealed, token.User, token.Admin); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		k, err := paseto.V4SymmetricKeyFromBytes(key[:])
		require.NoError(b, err)
		parser := paseto.NewParser() // checks the expiry
		for b.Loop() {
			t, err := parser.ParseV4Local(k, sealed, nil)
			if err != nil {
				b.Fatal(err)
			}
			readLibraryToken(b, t)
		}
	})
}

func readLibraryToken(b *testing.B, t *paseto.Token) {
	var errs [7]error
	_, errs[0] = t.GetJti()
	_, errs[1] = t.GetString("userID")
	_, errs[2] = t.GetString("userCategory")
	_, errs[3] = t.GetIssuedAt()
	_, errs[4] = t.GetNotBefore()
	_, errs[5] = t.GetExpiration()
	var groups []string
	errs[6] = t.Get("groups", &groups)
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}
