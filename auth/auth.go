// Package auth says who a user is.
//
// A login backend is an [Authenticator]: one method, from credentials to an
// identity. A second factor is a [Verifier]. Backends live in the packages below
// (auth/external and its siblings); yours can live anywhere: package
// auth/authtest checks that it keeps the promises written here.
//
// The package knows nothing of sessions, policy, HTTP or configuration.
package auth

import (
	"context"
	"errors"

	"github.com/dcvix/dcvix"
)

// Errors that an Authenticator or a Verifier returns, wrapped or bare. Anything
// else is a fault of the backend and answered as one.
var (
	// ErrInvalidCredentials says that the login is refused. It never says which
	// part was wrong.
	ErrInvalidCredentials = errors.New("user or password is wrong")
	// ErrUnavailable says that the backend could not be asked; trying later may help.
	ErrUnavailable = errors.New("the login service is unavailable")
)

// Credentials are what a person typed, and where. Only User and Address may be
// shown to others.
type Credentials struct {
	User      string
	Password  Secret
	OTP       Secret // one-time password; may be empty
	Challenge string // the State of the Challenge that OTP answers; may be empty
	Address   string // IP address that the login came from; empty when it is not known
}

// An Identity is a person as the backend knows them.
type Identity struct {
	User   dcvix.Username // canonical name
	Groups []string       // as the backend names them; may be nil
}

// An Authenticator checks credentials.
//
// Authenticate returns [ErrInvalidCredentials] for an unknown user, a wrong
// password and an empty password alike, [ErrUnavailable] when the backend cannot
// be reached or does not answer in time, and a [*Challenge] when the backend asks
// for a second step. It returns soon after ctx is done and is safe for
// concurrent use.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// A Verifier checks a second factor. Its errors are those of an [Authenticator].
type Verifier interface {
	Verify(ctx context.Context, c Credentials) error
}

// AuthenticatorFunc makes an Authenticator of a function.
type AuthenticatorFunc func(ctx context.Context, c Credentials) (Identity, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	return f(ctx, c)
}

// A Challenge is the error of a backend that accepts the credentials so far and
// asks for one more step: the same credentials with OTP and Challenge filled in.
type Challenge struct { //nolint:errname // a challenge is no error to a person
	Prompt string // what to ask the person
	State  string // opaque; comes back as Credentials.Challenge
}

// Error implements error.
func (c *Challenge) Error() string { return "a one-time password is needed" }

// Check returns [ErrInvalidCredentials] for credentials that no backend must
// see: a user name that [dcvix.Username.Validate] refuses, or an empty password
// (to LDAP an empty password is an anonymous bind that succeeds).
func (c Credentials) Check() error {
	if dcvix.Username(c.User).Validate() != nil || c.Password == "" {
		return ErrInvalidCredentials
	}
	return nil
}
