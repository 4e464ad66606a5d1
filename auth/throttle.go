package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	// manyPlaces is how many times as many logins of one user may fail from all
	// strange addresses together as from one. At the usual limits one or two
	// addresses alone, slowed down as each of them is, never get there.
	manyPlaces = 10
	// manyUsers is the same for all users at one address, which may be a whole
	// company's.
	manyUsers = 20
	// firstDelay is doubled with each failure.
	firstDelay = time.Second
	// maxPauses bounds the refusals that are held back at one time.
	maxPauses = 1024
)

// A ThrottledError says that a login was not tried, because too many failed
// before it.
type ThrottledError struct {
	RetryAfter time.Duration // above 0
}

// Error implements error.
func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many logins failed: the next is taken in %v", e.RetryAfter.Round(time.Second))
}

// ThrottleConfig says what a [Throttle] allows.
type ThrottleConfig struct {
	Failures int           // logins of a user at an address that may fail within Window without a delay; 0 means 5
	Window   time.Duration // 0 means 10 min
	MaxDelay time.Duration // the longest delay after a failure; 0 means 30 s

	// MinRefusal is how long a refusal takes at least, so that its time does not
	// tell which part was wrong; 0 means 300 ms, less means none.
	MinRefusal time.Duration

	Counters Counters         // nil means those of this process
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger     // nil means slog.Default()
}

// A Throttle slows down guessing. A login that comes too early is refused with a
// [*ThrottledError], at once and without asking the backend: nobody is made to
// wait, so guesses pile up nowhere.
//
// Failures are counted three times: for the user at the address; for the user at
// all strange addresses, of which ten times as many are free; and for all users at
// the address, of which twenty times as many are. After the free ones each failure
// costs 1 s, 2 s, 4 s and so on up to MaxDelay. One failure is forgotten in each
// part of Window that one free failure has.
//
// An address from which the user logged in during the last 30 days is no stranger:
// only the first of the three counts there. So a stranger who fails on purpose, from
// however many addresses, does not keep a user from logging in at a usual place. At
// a new one the user takes turns with the stranger's addresses.
//
// Good logins clear the first count alone: otherwise whoever has one account
// could guess at another one in between.
//
// Users are the same whose names differ in case, accents, width, spaces or domain,
// because directories do not tell them apart; addresses are whose IPv6 network of
// 64 bits is the same. Where a login came from, a backend does not change:
// [Credentials] says it. Without an address, the user alone counts.
//
// A Throttle is safe for concurrent use.
type Throttle struct {
	cfg               ThrottleConfig
	pair, user, place limit
	local             *MemoryCounters // for when those of the configuration do not answer
	familiar          *familiar
	pauses            chan struct{}
}

// A limit is how often something may be tried.
type limit struct {
	delays []time.Duration
	span   time.Duration // after which one try is forgotten
}

// NewThrottle returns a Throttle that has counted nothing. It returns an error
// for a negative limit.
func NewThrottle(cfg ThrottleConfig) (*Throttle, error) {
	if cfg.Failures < 0 || cfg.Window < 0 || cfg.MaxDelay < 0 {
		return nil, errors.New("auth: a limit of ThrottleConfig is negative")
	}
	if cfg.Failures == 0 {
		cfg.Failures = 5
	}
	if cfg.Window == 0 {
		cfg.Window = 10 * time.Minute
	}
	if cfg.MaxDelay == 0 {
		cfg.MaxDelay = 30 * time.Second
	}
	if cfg.MinRefusal == 0 {
		cfg.MinRefusal = 300 * time.Millisecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	t := &Throttle{
		cfg: cfg, local: NewMemoryCounters(cfg.Now), familiar: newFamiliar(), pauses: make(chan struct{}, maxPauses),
		pair: cfg.limit(1), user: cfg.limit(manyPlaces), place: cfg.limit(manyUsers),
	}
	if t.cfg.Counters == nil {
		t.cfg.Counters = t.local
	}
	return t, nil
}

// limit returns a limit with so many times as many free failures.
func (c ThrottleConfig) limit(times int) limit {
	free := c.Failures * times
	delays := make([]time.Duration, free)
	for d := firstDelay; d < c.MaxDelay; d *= 2 {
		delays = append(delays, d)
	}
	return limit{delays: append(delays, c.MaxDelay), span: max(c.Window/time.Duration(free), 1)}
}

// Around returns an Authenticator that asks a within the limits. All that one
// Throttle is around share what it counted.
func (t *Throttle) Around(a Authenticator) Authenticator {
	return AuthenticatorFunc(func(ctx context.Context, c Credentials) (Identity, error) { return t.authenticate(ctx, a, c) })
}

func (t *Throttle) authenticate(ctx context.Context, a Authenticator, c Credentials) (Identity, error) {
	if err := c.Check(); err != nil {
		return Identity{}, err // is no guess, and its time tells nothing
	}
	begin := time.Now()
	pair, counts := t.counts(c)
	if wait := t.take(ctx, counts); wait > 0 {
		return Identity{}, &ThrottledError{RetryAfter: wait}
	}
	who, err := a.Authenticate(ctx, c)
	switch {
	case err == nil:
		last := len(counts) - 1
		t.giveBack(ctx, counts[:last])
		t.forget(ctx, counts[last], true)
		t.familiar.add(pair, t.cfg.Now())
	case errors.Is(err, ErrInvalidCredentials):
		t.pause(ctx, begin)
	case errors.Is(ctx.Err(), context.Canceled):
		// The client went away before it heard. It may do so whenever an answer
		// takes as long as bad ones do, so this is a failure.
	default: // the backend could not tell, or asks for a second step
		t.giveBack(ctx, counts)
	}
	return who, err
}

// A count is one of those that a login is on.
type count struct {
	limit
	key, by string
}

// counts returns those that a login is on, that of the user at the address last,
// and its key. The others come first: a login that they refuse leaves nothing new
// behind.
func (t *Throttle) counts(c Credentials) (pair string, all []count) {
	user, place := foldUser(c.User), foldAddress(c.Address)
	pair = counterKey("user at address", user, place)
	ownUser, ownPlace := counterKey("user", user), counterKey("address", place)
	if !t.familiar.has(pair, t.cfg.Now()) {
		if place != "" {
			all = append(all, count{t.place, ownPlace, ownUser})
		}
		all = append(all, count{t.user, ownUser, ownPlace})
	}
	return pair, append(all, count{t.pair, pair, ""})
}

// take takes a try of all counts, or of none and returns how long to wait.
func (t *Throttle) take(ctx context.Context, counts []count) time.Duration {
	for i, c := range counts {
		wait, err := t.cfg.Counters.Take(ctx, c.key, c.by, c.delays, c.span)
		if err != nil {
			t.cfg.Logger.ErrorContext(ctx, "login counters do not answer, those of this director count alone", slog.Any("err", err))
			wait, _ = t.local.Take(ctx, c.key, c.by, c.delays, c.span) // never fails
		}
		if wait > 0 {
			t.giveBack(ctx, counts[:i])
			return wait
		}
	}
	return 0
}

// giveBack takes back what a login took that was no failure.
func (t *Throttle) giveBack(ctx context.Context, counts []count) {
	for _, c := range counts {
		t.forget(ctx, c, false)
	}
}

func (t *Throttle) forget(ctx context.Context, c count, all bool) {
	ctx = context.WithoutCancel(ctx)
	if err := t.cfg.Counters.Forget(ctx, c.key, all, c.span); err != nil {
		t.cfg.Logger.ErrorContext(ctx, "login counters do not answer, a good login counts as a failed one", slog.Any("err", err))
	}
	if t.cfg.Counters != Counters(t.local) {
		_ = t.local.Forget(ctx, c.key, all, c.span) // never fails
	}
}

// pause waits until a login that began then may be refused. Under an attack so
// heavy that too many wait, the others do not.
func (t *Throttle) pause(ctx context.Context, begin time.Time) {
	select {
	case t.pauses <- struct{}{}:
		defer func() { <-t.pauses }()
	default:
		return
	}
	timer := time.NewTimer(time.Until(begin.Add(t.cfg.MinRefusal)))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func counterKey(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00"))) // names and addresses have no NUL
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// foldUser returns the same for names that a directory may take for the same
// user: Active Directory compares account names without case, accents and width,
// LDAP without spaces (RFC 4518 section 2.6.1), and a domain may be given or not.
func foldUser(name string) string {
	name = norm.NFKD.String(name)
	if i := strings.LastIndexByte(name, '\\'); i >= 0 {
		name = name[i+1:]
	}
	name, _, _ = strings.Cut(name, "@")
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // the long s and the Kelvin sign fold too
	}, name)
}

// foldAddress returns what counts as one address: whoever has an IPv6 address
// has all of its network (RFC 6177).
func foldAddress(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
