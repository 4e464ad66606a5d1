package agentclient

import (
	"context"
	"math/rand/v2"
	"time"
)

// The longest waits between two tries.
const (
	maxRetry      = time.Minute
	maxRenewRetry = 5 * time.Minute // a certificate outlives days of failures
)

// retryAfter waits as befits that many failures in a row, at least one: a random
// time ("full jitter", so that a fleet does not come back as one) up to a limit
// that doubles from one second to most. It returns ctx's error when that ends
// first, and else nil.
func retryAfter(ctx context.Context, failures int, most time.Duration) error {
	limit := most
	if shift := failures - 1; shift < 16 {
		limit = min(most, time.Second<<shift)
	}
	return sleep(ctx, spread(limit, limit))
}

// spread returns d less a random part of it, which is shorter than part.
func spread(d, part time.Duration) time.Duration {
	return d - rand.N(part) //nolint:gosec // spreads load; nobody gains by guessing it
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
