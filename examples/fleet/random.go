package main

import (
	"math/rand/v2"
	"time"
)

// spread returns a random time below d.
func spread(d time.Duration) time.Duration {
	return rand.N(d) //nolint:gosec // it spreads load and hides nothing
}

// pick returns a random number below n.
func pick(n int) int {
	return rand.IntN(n) //nolint:gosec // as spread
}

// share returns a random number below 1.
func share() float64 {
	return rand.Float64() //nolint:gosec // as spread
}
