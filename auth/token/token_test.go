package token_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"aidanwoods.dev/go-paseto"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/token"
)

func newSealer(t testing.TB, keys ...token.Key) *token.Sealer {
	t.Helper()
	if len(keys) == 0 {
		keys = []token.Key{token.NewKey()}
	}
	s, err := token.New(token.Config{Keys: keys})
	require.NoError(t, err)
	return s
}

func TestATokenSaysWhatWasSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSealer(t)
		want := token.Claims{
			ID: "0123", User: "alice", Category: token.Connection, Groups: []string{"cad"},
			Session: "dcvix_1", Server: "ws1.lab", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		}

		sealed, expires, err := s.Seal(want, time.Hour)
		require.NoError(t, err)
		got, err := s.Open(sealed, token.Connection)

		require.NoError(t, err)
		assert.Empty(t, cmp.Diff(want, got))
		assert.Equal(t, want.ExpiresAt, expires)
		assert.True(t, strings.HasPrefix(sealed, "v4.local."), sealed)
	})
}

func TestAChallengeSaysWhatWasSealedAndShowsNothing(t *testing.T) {
	s := newSealer(t)
	want := token.Claims{ID: "0123", User: "alice", Category: token.Challenge, Address: "192.0.2.7", State: "transaction-0815"}

	sealed, _, err := s.Seal(want, 5*time.Minute)
	require.NoError(t, err)
	got, err := s.Open(sealed, token.Challenge)

	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreFields(token.Claims{}, "IssuedAt", "ExpiresAt")))
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(sealed, "v4.local."))
	require.NoError(t, err)
	assert.NotContains(t, sealed+string(raw), "0815", "what a backend has to get back is its secret")
}

func TestAChallengeIsNoLoginAndNoLoginIsAChallenge(t *testing.T) {
	s := newSealer(t)
	for _, made := range []token.Category{token.User, token.Admin, token.Connection, token.Challenge} {
		sealed, _, err := s.Seal(token.Claims{User: "alice", Category: made, State: "x", Address: "192.0.2.7"}, time.Hour)
		require.NoError(t, err)
		for _, wanted := range []token.Category{token.User, token.Admin, token.Connection, token.Challenge} {
			_, err := s.Open(sealed, wanted)
			if made == wanted {
				assert.NoError(t, err, "%s", made)
			} else {
				assert.ErrorIs(t, err, token.ErrCategory, "%s as %s", made, wanted)
			}
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	const life = 2 * time.Hour
	tests := map[string]struct {
		category token.Category
		wait     time.Duration
		spoil    func(string) string
		want     error
	}{
		"nothing wrong":                   {category: token.User},
		"a second before the end":         {category: token.User, wait: life - time.Second},
		"the end, with no leeway":         {category: token.User, wait: life, want: token.ErrExpired},
		"a connection token as a login":   {category: token.Connection, want: token.ErrCategory},
		"an admin's token where users go": {category: token.Admin, want: token.ErrCategory},
		"a changed letter":                {category: token.User, want: token.ErrInvalid, spoil: func(s string) string { return s[:40] + flip(s[40]) + s[41:] }},
		"a cut end":                       {category: token.User, want: token.ErrInvalid, spoil: func(s string) string { return s[:len(s)-9] }},
		"a public token's header":         {category: token.User, want: token.ErrInvalid, spoil: func(s string) string { return strings.Replace(s, "local", "public", 1) }},
		"no token":                        {category: token.User, want: token.ErrInvalid, spoil: func(string) string { return "" }},
		"a megabyte":                      {category: token.User, want: token.ErrInvalid, spoil: func(s string) string { return s + strings.Repeat("A", 1<<20) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSealer(t)
				sealed, _, err := s.Seal(token.Claims{User: "alice", Category: tt.category}, life)
				require.NoError(t, err)
				if tt.spoil != nil {
					sealed = tt.spoil(sealed)
				}
				time.Sleep(tt.wait)

				_, err = s.Open(sealed, token.User)

				assert.ErrorIs(t, err, tt.want)
			})
		})
	}
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

func TestAClockThatIsBehindIsForgivenHalfAMinute(t *testing.T) {
	for name, tt := range map[string]struct {
		behind time.Duration
		want   error
	}{
		"29 s": {behind: 29 * time.Second},
		"31 s": {behind: 31 * time.Second, want: token.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			key := token.NewKey()
			sealed, _, err := newSealer(t, key).Seal(token.Claims{User: "alice", Category: token.User}, time.Hour)
			require.NoError(t, err)
			slow, err := token.New(token.Config{Keys: []token.Key{key}, Now: func() time.Time { return time.Now().Add(-tt.behind) }})
			require.NoError(t, err)

			_, err = slow.Open(sealed, token.User)

			assert.ErrorIs(t, err, tt.want)
		})
	}
}

func TestAReplacedKeyStillOpens(t *testing.T) {
	before, after := token.NewKey(), token.NewKey()
	sealed, _, err := newSealer(t, before).Seal(token.Claims{User: "alice", Category: token.User}, time.Hour)
	require.NoError(t, err)

	_, err = newSealer(t, after, before).Open(sealed, token.User)
	require.NoError(t, err, "old key in the ring")
	_, err = newSealer(t, after).Open(sealed, token.User)
	require.ErrorIs(t, err, token.ErrInvalid, "old key gone")
}

func TestATokenOfTheOlderGenerationHasAnID(t *testing.T) {
	key := token.NewKey()
	old := paseto.NewToken()
	old.SetIssuedAt(time.Now())
	old.SetNotBefore(time.Now())
	old.SetExpiration(time.Now().Add(time.Hour))
	old.SetString("userID", "alice")
	old.SetString("userCategory", "user")
	k, err := paseto.V4SymmetricKeyFromBytes(key[:])
	require.NoError(t, err)

	got, err := newSealer(t, key).Open(old.V4Encrypt(k, nil), token.User)

	require.NoError(t, err)
	assert.Len(t, got.ID, 64)
}

func TestGroupsAreBounded(t *testing.T) {
	s := newSealer(t)
	for name, groups := range map[string][]string{
		"too many":  strings.Split(strings.Repeat("g,", 100), ","),
		"too large": strings.Split(strings.Repeat(strings.Repeat("g", 999)+",", 9), ","),
	} {
		t.Run(name, func(t *testing.T) {
			sealed, _, err := s.Seal(token.Claims{User: "a", Category: token.User, Groups: groups}, time.Hour)
			require.NoError(t, err)
			got, err := s.Open(sealed, token.User)
			require.NoError(t, err)
			assert.LessOrEqual(t, len(got.Groups), 64)
			assert.LessOrEqual(t, len(strings.Join(got.Groups, "")), 4000)
			assert.NotEmpty(t, got.Groups)
		})
	}
}

func TestParseKey(t *testing.T) {
	key := token.NewKey()
	got, err := token.ParseKey(" " + key.Base64() + "\n")
	require.NoError(t, err)
	assert.Equal(t, key, got)
	for _, bad := range []string{"", "short", key.Base64() + key.Base64(), "%%%"} {
		_, err := token.ParseKey(bad)
		assert.Error(t, err, bad)
	}
	assert.NotContains(t, fmt.Sprint(key), key.Base64())
}

func FuzzOpen(f *testing.F) {
	s := newSealer(f, token.Key{1})
	sealed, _, err := s.Seal(token.Claims{User: "alice", Category: token.User}, time.Hour)
	require.NoError(f, err)
	f.Add(sealed)
	f.Add("v4.local.")
	f.Add("")
	f.Fuzz(func(t *testing.T, in string) {
		if _, err := newSealer(t, token.Key{2}).Open(in, token.User); err == nil {
			t.Error("a token of another key opened")
		}
		_, _ = s.Open(in, token.User)
	})
}

func ExampleSealer() {
	sealer, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, _, err := sealer.Seal(token.Claims{User: "alice", Category: token.User}, 2*time.Hour)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := sealer.Open(sealed, token.User, token.Admin)
	fmt.Println(claims.User, err)
	_, err = sealer.Open(sealed, token.Connection)
	fmt.Println(err)
	// Output:
	// alice <nil>
	// the token is for another purpose
}
