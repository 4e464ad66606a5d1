package auth

import (
	"context"
	"errors"
)

// A HealthChecker is a backend that can say whether it would be able to answer.
// The interface is optional for an [Authenticator] and a [Verifier]; those that
// are made of others pass it on to each of them.
type HealthChecker interface {
	// CheckHealth returns nil when the backend can be asked, and otherwise an
	// error for the operator, which names what does not answer. It logs nobody in,
	// returns soon after ctx is done and is safe for concurrent use.
	CheckHealth(ctx context.Context) error
}

// CheckHealth asks each backend that is a [HealthChecker] and joins what they
// say; the others count as well. The backends have type any because an
// [Authenticator] and a [Verifier] have no method in common.
func CheckHealth(ctx context.Context, backends ...any) error {
	var all []error
	for _, b := range backends {
		if checker, ok := b.(HealthChecker); ok {
			all = append(all, checker.CheckHealth(ctx))
		}
	}
	return errors.Join(all...)
}
