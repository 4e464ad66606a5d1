package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errTwoSecondSteps is a fault of the configuration, for the operator.
var errTwoSecondSteps = errors.New("the login backend asks for a second step itself, and another one-time password service is set up beside it: " +
	"use one of the two")

// VerifierFunc makes a Verifier of a function.
type VerifierFunc func(ctx context.Context, c Credentials) error

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, c Credentials) error { return f(ctx, c) }

// WithOTP returns an Authenticator that asks a, and if a accepts, v. The identity
// is the one that a returns.
//
// The code is for v alone: a sees neither it nor the Challenge. v gets the
// canonical user name of the identity, so that a code counts for the person who
// is let in, with the password and the code. A [*Challenge] of v is returned as
// it is; whoever answers it gives the password again, and a is asked again. A
// Challenge of a is a fault: one login has one second step.
//
// A refusal by a and one by v are the same error and take the same time, as far
// as the times of late can tell: refusals wait for the slowest of them. So
// nobody learns from a refusal that a password was right. An answer of
// [ErrUnavailable] by v, and a Challenge, do show it.
//
// The result is a [HealthChecker] for both.
func WithOTP(a Authenticator, v Verifier) Authenticator {
	return &twoFactors{first: a, second: v}
}

type twoFactors struct {
	first  Authenticator
	second Verifier
	pace   pace
}

var _ HealthChecker = (*twoFactors)(nil)

// Authenticate implements [Authenticator].
func (t *twoFactors) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	if err := c.Check(); err != nil {
		return Identity{}, err // known without either factor, so its time tells nothing
	}
	begin := time.Now()
	password := c
	password.OTP, password.Challenge = "", ""
	who, err := t.first.Authenticate(ctx, password)
	switch {
	case errors.As(err, new(*Challenge)):
		return Identity{}, errTwoSecondSteps
	case errors.Is(err, ErrInvalidCredentials):
		t.pace.note(&t.pace.first, time.Since(begin))
		t.pace.wait(ctx, begin)
		return Identity{}, ErrInvalidCredentials
	case err != nil:
		return Identity{}, err
	}
	code := c
	code.User = string(who.User)
	err = t.second.Verify(ctx, code)
	refused := errors.Is(err, ErrInvalidCredentials)
	if (err == nil || refused) && c.OTP != "" { // without a code, v may have waited for a person
		t.pace.note(&t.pace.second, time.Since(begin))
	}
	switch {
	case refused:
		t.pace.wait(ctx, begin)
		return Identity{}, ErrInvalidCredentials
	case errors.As(err, new(*Challenge)):
		return Identity{}, err
	case err != nil:
		return Identity{}, fmt.Errorf("one-time password: %w", err)
	}
	return who, nil
}

// CheckHealth implements [HealthChecker].
func (t *twoFactors) CheckHealth(ctx context.Context) error {
	return CheckHealth(ctx, t.first, t.second)
}
