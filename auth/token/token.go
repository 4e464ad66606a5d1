// Package token seals who a user is into tokens that only the director can open.
//
// Tokens are PASETO v4.local (github.com/paseto-standard/paseto-spec): encrypted
// and authenticated with a key of 32 bytes. A [Sealer] has a ring of keys: the
// first seals, all open, so that a key can be replaced while tokens live.
//
// The package does not know which tokens were revoked: that is state, and a
// token has none.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"aidanwoods.dev/go-paseto"

	"github.com/dcvix/dcvix"
)

// A Category says what a token may be used for.
type Category string

// The categories. A connection token opens one DCV session and nothing else. A
// challenge is an open question of a login backend and no login.
const (
	User       Category = "user"
	Admin      Category = "admin"
	Connection Category = "connection"
	Challenge  Category = "challenge"
)

// Errors of [Sealer.Open].
var (
	ErrInvalid  = errors.New("the token does not open")
	ErrExpired  = errors.New("the token has expired")
	ErrCategory = errors.New("the token is for another purpose")
)

const (
	// leeway forgives clocks that differ a little, but never an expiry.
	leeway = 30 * time.Second
	// maxLength bounds the work on what a stranger sends: 64 groups in 4 kB fit.
	maxLength = 12 << 10

	maxGroups     = 64
	maxGroupBytes = 4000
)

// Claims are what a token says.
type Claims struct {
	ID       string // 128 random bits in hex; Seal fills it in when empty
	User     dcvix.Username
	Category Category
	Groups   []string // of the login; cut to 64 names and 4 kB

	Session dcvix.SessionID // of a connection token
	Server  dcvix.Hostname  // of a connection token

	Address string // of the client, in a challenge
	State   string // of a challenge: what its backend has to get back

	IssuedAt  time.Time // Seal uses its own now
	ExpiresAt time.Time
}

// A Key is a symmetric PASETO v4 key.
type Key [32]byte

// NewKey returns a random key.
func NewKey() Key {
	var k Key
	_, _ = rand.Read(k[:]) // never fails since Go 1.24
	return k
}

// ParseKey reads a key from base64, standard or URL-safe, padded or not.
func ParseKey(s string) (Key, error) {
	clean := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(strings.TrimSpace(s))
	b, err := base64.RawStdEncoding.DecodeString(clean)
	if err != nil || len(b) != len(Key{}) {
		return Key{}, errors.New("a token key is base64 of 32 bytes: make one with \"openssl rand -base64 32\"")
	}
	return Key(b), nil
}

// Base64 returns the key in the form that [ParseKey] reads. It is a secret.
func (k Key) Base64() string { return base64.StdEncoding.EncodeToString(k[:]) }

// String hides the key.
func (k Key) String() string { return "[redacted]" }

// Config says what a [Sealer] is made of.
type Config struct {
	Keys []Key            // the first seals, all open; at least one
	Now  func() time.Time // nil means time.Now
}

// A Sealer seals and opens tokens. It is safe for concurrent use.
type Sealer struct {
	keys []paseto.V4SymmetricKey
	now  func() time.Time
}

// New returns a Sealer.
func New(cfg Config) (*Sealer, error) {
	if len(cfg.Keys) == 0 {
		return nil, errors.New("token: Config needs a key")
	}
	s := &Sealer{now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	for _, k := range cfg.Keys {
		key, err := paseto.V4SymmetricKeyFromBytes(k[:])
		if err != nil {
			return nil, fmt.Errorf("token key: %w", err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// Seal returns a token that says what c says and ends after life.
func (s *Sealer) Seal(c Claims, life time.Duration) (sealed string, expires time.Time, err error) {
	now := s.now().Truncate(time.Second) // what a token can carry
	expires = now.Add(life)
	if c.ID == "" {
		id := make([]byte, 16)
		_, _ = rand.Read(id)
		c.ID = hex.EncodeToString(id)
	}
	t := paseto.NewToken()
	t.SetIssuedAt(now)
	t.SetNotBefore(now)
	t.SetExpiration(expires)
	t.SetJti(c.ID)
	t.SetString("userID", string(c.User))
	t.SetString("userCategory", string(c.Category))
	if groups := bounded(c.Groups); len(groups) > 0 {
		if err := t.Set("groups", groups); err != nil {
			return "", time.Time{}, fmt.Errorf("seal groups: %w", err)
		}
	}
	switch c.Category {
	case User, Admin:
	case Connection:
		t.SetString("sessionID", string(c.Session))
		t.SetString("serverID", string(c.Server))
	case Challenge:
		t.SetString("address", c.Address)
		t.SetString("state", c.State)
	}
	return t.V4Encrypt(s.keys[0], nil), expires, nil
}

func bounded(groups []string) []string {
	size := 0
	for i, g := range groups {
		if size += len(g); i == maxGroups || size > maxGroupBytes {
			return groups[:i]
		}
	}
	return groups
}

// Open returns what a token says. It returns [ErrInvalid] for a token that no key
// opens or that lacks a claim, [ErrExpired] for one that has ended, and
// [ErrCategory] for one that is of none of the wanted categories.
func (s *Sealer) Open(sealed string, want ...Category) (Claims, error) {
	if len(sealed) > maxLength {
		return Claims{}, ErrInvalid
	}
	parser := paseto.NewParserWithoutExpiryCheck()
	for _, key := range s.keys {
		t, err := parser.ParseV4Local(key, sealed, nil)
		if err != nil {
			continue
		}
		c, err := read(t)
		if err != nil {
			return Claims{}, err
		}
		if c.ID == "" { // sealed by the 0.1 generation
			sum := sha256.Sum256([]byte(sealed))
			c.ID = hex.EncodeToString(sum[:])
		}
		return c, s.check(c, want)
	}
	return Claims{}, ErrInvalid
}

func read(t *paseto.Token) (Claims, error) {
	var c Claims
	var errs [5]error
	var user, category string
	user, errs[0] = t.GetString("userID")
	category, errs[1] = t.GetString("userCategory")
	c.IssuedAt, errs[2] = t.GetIssuedAt()
	c.ExpiresAt, errs[3] = t.GetExpiration()
	notBefore, err := t.GetNotBefore()
	errs[4] = err
	if err := errors.Join(errs[:]...); err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if notBefore.After(c.IssuedAt) {
		c.IssuedAt = notBefore
	}
	c.User, c.Category = dcvix.Username(user), Category(category)
	c.ID, _ = t.GetJti()
	_ = t.Get("groups", &c.Groups) // absent in most tokens
	switch c.Category {
	case User, Admin:
	case Connection:
		session, _ := t.GetString("sessionID")
		server, _ := t.GetString("serverID")
		c.Session, c.Server = dcvix.SessionID(session), dcvix.Hostname(server)
	case Challenge:
		c.Address, _ = t.GetString("address")
		c.State, _ = t.GetString("state")
	}
	return c, nil
}

func (s *Sealer) check(c Claims, want []Category) error {
	now := s.now()
	switch {
	case !now.Before(c.ExpiresAt):
		return ErrExpired
	case now.Add(leeway).Before(c.IssuedAt):
		return fmt.Errorf("%w: it is from the future", ErrInvalid)
	case !slices.Contains(want, c.Category):
		return ErrCategory
	}
	return nil
}
