package authtest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dcvix/dcvix/auth"
)

// A VerifierTarget is a second factor under test and what the tests need to know
// of it.
type VerifierTarget struct {
	Verifier auth.Verifier
	Fresh    func() auth.Credentials // credentials with a code that is good once; called up to 200 times, also at once
	Down     auth.Verifier           // the same verifier with nothing behind it; nil skips that test
}

// TestVerifier checks that a second factor keeps the promises of [auth.Verifier].
// It gives about twenty wrong codes for the user of Fresh: what stands behind
// the verifier must not lock the user for them.
func TestVerifier(t *testing.T, target VerifierTarget) {
	t.Run("GoodCode", func(t *testing.T) { testGoodCode(t, target) })
	t.Run("RefusedLooksAlike", func(t *testing.T) { testRefusedCodes(t, target) })
	t.Run("NoCode", func(t *testing.T) { testNoCode(t, target) })
	t.Run("ReplayedCode", func(t *testing.T) { testReplayed(t, target) })
	t.Run("OneCodeManyTimesAtOnce", func(t *testing.T) { testOneCodeAtOnce(t, target) })
	t.Run("HostileValues", func(t *testing.T) { testHostileValues(t, target) })
	t.Run("ForeignChallenge", func(t *testing.T) { testForeignChallenge(t, target) })
	t.Run("CancelledContext", func(t *testing.T) { testCancelledCode(t, target) })
	t.Run("ManyAtOnce", func(t *testing.T) { testManyCodes(t, target) })
	t.Run("VerifierDown", func(t *testing.T) { testVerifierDown(t, target) })
}

const wrongCode = "not-a-code"

func testGoodCode(t *testing.T, target VerifierTarget) {
	if err := target.Verifier.Verify(t.Context(), target.Fresh()); err != nil {
		t.Fatalf("good code: %v", err)
	}
}

func testRefusedCodes(t *testing.T, target VerifierTarget) {
	wrong, unknown, longer := target.Fresh(), target.Fresh(), target.Fresh()
	wrong.OTP = wrongCode
	unknown.User = "no-such-user-2f1c"
	longer.OTP += "0"
	var first string
	for name, c := range map[string]auth.Credentials{"wrong code": wrong, "unknown user": unknown, "a good code and a digit": longer} {
		err := target.Verifier.Verify(t.Context(), c)
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

// testNoCode lets a verifier challenge, but never accept.
func testNoCode(t *testing.T, target VerifierTarget) {
	c := target.Fresh()
	c.OTP = ""
	err := target.Verifier.Verify(t.Context(), c)
	if challenge := (*auth.Challenge)(nil); errors.As(err, &challenge) {
		if challenge.Prompt == "" {
			t.Error("the challenge has no prompt")
		}
		return
	}
	if !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("no code: error = %v, want ErrInvalidCredentials or a Challenge", err)
	}
}

func testReplayed(t *testing.T, target VerifierTarget) {
	c := target.Fresh()
	if err := target.Verifier.Verify(t.Context(), c); err != nil {
		t.Fatalf("good code: %v", err)
	}
	if err := target.Verifier.Verify(t.Context(), c); !errors.Is(err, auth.ErrInvalidCredentials) {
		t.Errorf("the same code again: error = %v, want ErrInvalidCredentials", err)
	}
}

func testOneCodeAtOnce(t *testing.T, target VerifierTarget) {
	c := target.Fresh()
	var accepted atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			err := target.Verifier.Verify(t.Context(), c)
			if err == nil {
				accepted.Add(1)
			} else if !errors.Is(err, auth.ErrInvalidCredentials) {
				t.Errorf("the same code at once: error = %v, want ErrInvalidCredentials", err)
			}
		})
	}
	wg.Wait()
	if n := accepted.Load(); n != 1 {
		t.Errorf("one code was accepted %d times, want once", n)
	}
}

func testHostileValues(t *testing.T, target VerifierTarget) {
	good := target.Fresh()
	for _, hostile := range []string{
		"\n", string(good.OTP) + "\n", "\x00", "\xff", "&pass=1", "%00", `"}`, "$(id)", strings.Repeat("1", 10_000),
	} {
		c := good
		c.OTP = auth.Secret(hostile)
		if err := target.Verifier.Verify(t.Context(), c); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("code %.40q: error = %v, want ErrInvalidCredentials", hostile, err)
		}
		c = good
		c.User += hostile
		if err := target.Verifier.Verify(t.Context(), c); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("user %.40q: error = %v, want ErrInvalidCredentials", c.User, err)
		}
	}
}

// testForeignChallenge answers challenges that the verifier has not made.
func testForeignChallenge(t *testing.T, target VerifierTarget) {
	for _, state := range []string{"x", "{}", "null", "0123456789", strings.Repeat("x", 10_000)} {
		c := target.Fresh()
		c.OTP, c.Challenge = wrongCode, state
		if err := target.Verifier.Verify(t.Context(), c); !errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("challenge %.40q: error = %v, want ErrInvalidCredentials", state, err)
		}
	}
}

func testCancelledCode(t *testing.T, target VerifierTarget) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error, 1)
	go func() { done <- target.Verifier.Verify(ctx, target.Fresh()) }()
	select {
	case err := <-done:
		if err == nil || errors.Is(err, auth.ErrInvalidCredentials) {
			t.Errorf("cancelled context: %v; a code that was not tried is neither good nor refused", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("Verify did not return within 10 s of a cancelled context")
	}
}

func testManyCodes(t *testing.T, target VerifierTarget) {
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := target.Verifier.Verify(t.Context(), target.Fresh()); err != nil {
				t.Errorf("one of 50 codes at once: %v", err)
			}
		})
	}
	wg.Wait()
}

func testVerifierDown(t *testing.T, target VerifierTarget) {
	if target.Down == nil {
		t.Skip("the target cannot be down")
	}
	if err := target.Down.Verify(t.Context(), target.Fresh()); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("verifier down: error = %v, want ErrUnavailable", err)
	}
}
