package directorapi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
)

const (
	// challengeLife is how long a person has to answer a challenge.
	challengeLife = 5 * time.Minute
	// maxSpent bounds the challenges that are remembered as used, about 100 bytes
	// each. Only a login that its backend answered with a challenge adds one.
	maxSpent = 10_000
	// maxState bounds what a backend wants back; RADIUS allows 253 bytes.
	maxState = 4 << 10
	// maxPrompt bounds a question, in characters.
	maxPrompt = 400
)

// A secondStepError is the answer to a login whose backend asks for one more
// step, to a client that can take it.
type secondStepError struct {
	prompt    string
	challenge string // sealed
}

func (e *secondStepError) Error() string { return "the login backend asks for a second step" }

// challenges seals what a backend has to get back with the second step of a
// login, for one user and one address, and opens it once.
type challenges struct {
	tokens *token.Sealer
	now    func() time.Time
	// process tells this Server's challenges from those of others: what was used
	// elsewhere, or before a restart, is not known here.
	process string

	mu     sync.Mutex // guards what follows
	spent  map[string]time.Time
	looked time.Time
}

func newChallenges(tokens *token.Sealer, now func() time.Time) *challenges {
	return &challenges{tokens: tokens, now: now, process: rand.Text(), spent: make(map[string]time.Time)}
}

func (h *challenges) seal(c *auth.Challenge, user, address string) (*secondStepError, error) {
	if len(c.State) > maxState {
		return nil, fmt.Errorf("the state of a login backend's challenge has %d bytes, more than %d", len(c.State), maxState)
	}
	sealed, _, err := h.tokens.Seal(token.Claims{
		Category: token.Challenge, User: dcvix.Username(user), Address: address, State: h.process + c.State,
	}, challengeLife)
	if err != nil {
		return nil, fmt.Errorf("seal a challenge: %w", err)
	}
	return &secondStepError{prompt: question(c.Prompt), challenge: sealed}, nil
}

// open returns the state of a challenge, which is used up by that, whatever
// comes of the login. It returns [errBadLogin] for everything that is no open
// challenge of this user at this address.
func (h *challenges) open(sealed, user, address string) (state string, err error) {
	claims, err := h.tokens.Open(sealed, token.Challenge)
	if err != nil {
		return "", fmt.Errorf("%w: challenge: %w", errBadLogin, err)
	}
	state, ours := strings.CutPrefix(claims.State, h.process)
	switch {
	case !ours:
		return "", fmt.Errorf("%w: the challenge is from before a restart or of another director", errBadLogin)
	case string(claims.User) != user:
		return "", fmt.Errorf("%w: the challenge is of another user", errBadLogin)
	case claims.Address != address:
		return "", fmt.Errorf("%w: the challenge is of another address", errBadLogin)
	}
	return state, h.spend(claims.ID, claims.ExpiresAt)
}

// spend notes that a challenge was used. When too many are remembered it refuses,
// rather than to forget one that could be used again.
func (h *challenges) spend(id string, expires time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	if now.Sub(h.looked).Abs() >= time.Second { // not for each of many at once
		h.looked = now
		maps.DeleteFunc(h.spent, func(_ string, end time.Time) bool { return !now.Before(end) })
	}
	if _, used := h.spent[id]; used {
		return fmt.Errorf("%w: the challenge was used before", errBadLogin)
	}
	if len(h.spent) >= maxSpent {
		return fmt.Errorf("%w: %w", auth.ErrUnavailable, errTooManySteps)
	}
	h.spent[id] = expires
	return nil
}

var errTooManySteps = errors.New("too many second steps within five minutes")

// question makes one bounded line of a backend's prompt.
func question(prompt string) string {
	prompt = dcvix.OneLine(prompt, maxPrompt)
	if prompt == "" {
		return "One-time password"
	}
	return prompt
}
