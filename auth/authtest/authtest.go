// Package authtest tests login backends, and has one of its own for tests of
// whatever needs logins.
package authtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

// A Target is a backend under test and what the tests need to know of it.
type Target struct {
	Authenticator auth.Authenticator
	Good          auth.Credentials   // a login that succeeds, as often as it is tried
	Want          auth.Identity      // what it yields; Groups may be nil to not compare them
	Down          auth.Authenticator // the same backend with nothing behind it; nil skips that test
}

// TestAuthenticator checks that a backend keeps the promises of
// [auth.Authenticator].
func TestAuthenticator(t *testing.T, target Target) {
	t.Run("GoodLogin", func(t *testing.T) { testGood(t, target) })
	t.Run("RefusedLooksAlike", func(t *testing.T) { testRefused(t, target) })
	t.Run("HostileNames", func(t *testing.T) { testHostile(t, target) })
	t.Run("CancelledContext", func(t *testing.T) { testCancelled(t, target) })
	t.Run("ManyAtOnce", func(t *testing.T) { testMany(t, target) })
	t.Run("Down", func(t *testing.T) { testDown(t, target) })
}

func testGood(t *testing.T, target Target) {
	got, err := target.Authenticator.Authenticate(t.Context(), target.Good)
	if err != nil {
		t.Fatalf("good credentials: %v", err)
	}
	if got.User != target.Want.User {
		t.Errorf("user = %q, want %q", got.User, target.Want.User)
	}
	if target.Want.Groups != nil && strings.Join(got.Groups, ",") != strings.Join(target.Want.Groups, ",") {
		t.Errorf("groups = %q, want %q", got.Groups, target.Want.Groups)
	}
}

func testRefused(t *testing.T, target Target) {
	wrong, unknown, empty := target.Good, target.Good, target.Good
	wrong.Password += "-not"
	unknown.User = "no-such-user-2f1c"
	empty.Password = ""
	var first string
	for name, c := range map[string]auth.Credentials{"wrong password": wrong, "unknown user": unknown, "empty password": empty} {
		_, err := target.Authenticator.Authenticate(t.Context(), c)
		if !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("%s: error = %v, want ErrInvalidCredentials", name, err)
			continue
		}
		if first == "" {
			first = err.Error()
		}
		if err.Error() != first {
			t.Errorf("%s: error = %q, but another refusal says %q: they must look alike", name, err, first)
		}
	}
}

func testHostile(t *testing.T, target Target) {
	for _, user := range []string{
		"*", target.Good.User + "*", target.Good.User + ")(uid=*", "$(id)", "`id`", ";id", "../../etc/passwd",
		target.Good.User + "\n" + string(target.Good.Password), target.Good.User + "\x00", "-" + target.Good.User, "\xff",
		strings.Repeat("a", 10_000), "",
	} {
		c := target.Good
		c.User = user
		if who, err := target.Authenticator.Authenticate(t.Context(), c); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("user %.40q: got %+v, %v; want ErrInvalidCredentials", user, who, err)
		}
	}
}

func testCancelled(t *testing.T, target Target) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() {
		_, err := target.Authenticator.Authenticate(ctx, target.Good)
		done <- err
	}()
	select {
	case err := <-done:
		if errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("cancelled context: %v; a login that was not tried is not refused", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Authenticate did not return within 10 s of a cancelled context")
	}
}

func testMany(t *testing.T, target Target) {
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := target.Authenticator.Authenticate(t.Context(), target.Good); err != nil {
				t.Errorf("one of 50 logins at once: %v", err)
			}
		})
	}
	wg.Wait()
}

func testDown(t *testing.T, target Target) {
	if target.Down == nil {
		t.Skip("the target cannot be down")
	}
	if _, err := target.Down.Authenticate(t.Context(), target.Good); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("backend down: error = %v, want ErrUnavailable", err)
	}
}

// Static is an [auth.Authenticator] that knows its users' passwords. It is for
// tests and demonstrations. Groups may be nil.
type Static struct {
	Passwords map[dcvix.Username]auth.Secret
	Groups    map[dcvix.Username][]string
}

// Authenticate implements [auth.Authenticator].
func (s Static) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := ctx.Err(); err != nil {
		return auth.Identity{}, err
	}
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	user := dcvix.Username(c.User)
	if want, ok := s.Passwords[user]; !ok || want != c.Password {
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	return auth.Identity{User: user, Groups: s.Groups[user]}, nil
}
