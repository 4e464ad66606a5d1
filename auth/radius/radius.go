// Package radius asks RADIUS servers whether a login is good.
//
// A [Backend] sends the password in an Access-Request (PAP over UDP, RFC 2865)
// and takes the answer of the first server that gives one. Every request starts
// with a Message-Authenticator, and an answer without a right one counts for
// nothing (RFC 3579, CVE-2024-3596), unless [Config] says otherwise. An
// Access-Challenge becomes an [auth.Challenge]; its answer goes to the server
// that asked.
//
// PAP hides the password with MD5 and the shared secret and nothing else of the
// packet is hidden: keep the path to the server inside a network you trust, or
// in a tunnel.
package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"layeh.com/radius"

	"github.com/dcvix/dcvix/auth"
)

// Limits of the protocol (RFC 2865 sections 5 and 5.2) and of ours.
const (
	maxAttribute = 253 // bytes in the value of an attribute
	maxPassword  = 128 // bytes in a password

	skipFor = 30 * time.Second // for which a server that failed comes after the others
)

// Config says which servers a [Backend] asks. Servers and Secret are required.
type Config struct {
	Servers []string    // host or host:port each, in the order of preference
	Port    int         // of servers that are named without one; 0 means 1812
	Secret  auth.Secret // shared with all of the servers

	Timeout  time.Duration // for which one try waits; 0 means 3 s
	Retries  int           // tries after the first one, at each server; 0 means 2, a negative number none
	Deadline time.Duration // for one login at all servers; 0 means 25 s, or longer when the tries at one server take longer

	// AllowUnsigned takes answers without a Message-Authenticator. Who can read
	// and change packets on the way can turn the refusal of such a server into
	// an acceptance (CVE-2024-3596). One that is there must be right anyway.
	AllowUnsigned bool

	NASIdentifier string // what this director is called at the servers; empty means "dcvix"
	MaxConcurrent int    // logins that are asked for at once, others wait; 0 means 256

	// Dial opens the way to a server; nil means that of a net.Dialer. What it
	// returns must give datagrams of the server's address alone, as a connected
	// UDP socket does.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *slog.Logger // gets why a server does not serve; nil means slog.Default()
}

var _ auth.Authenticator = (*Backend)(nil)

// A Backend asks RADIUS servers. It is safe for concurrent use.
type Backend struct {
	cfg     *Config // by reference: who prints a Backend does not see the secret
	servers []*server
	asking  chan struct{}
}

// New returns a Backend. It sends nothing: [Backend.CheckHealth] does. It logs a
// warning when the secret is one that everybody knows.
func New(cfg Config) (*Backend, error) {
	withDefaults(&cfg)
	servers, err := parseServers(cfg.Servers, cfg.Port)
	err = errors.Join(err, check(cfg))
	if err != nil {
		return nil, err
	}
	if slices.Contains([]string{"secret", "testing123", "radius"}, string(cfg.Secret)) {
		cfg.Logger.Warn("the radius secret is one that everybody knows: choose 16 random characters or more, for the server and for radius_secret")
	}
	return &Backend{cfg: &cfg, servers: servers, asking: make(chan struct{}, cfg.MaxConcurrent)}, nil
}

func withDefaults(cfg *Config) {
	if cfg.Port == 0 {
		cfg.Port = 1812
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 3 * time.Second
	}
	switch {
	case cfg.Retries == 0:
		cfg.Retries = 2
	case cfg.Retries < 0:
		cfg.Retries = 0
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = max(25*time.Second, time.Duration(1+cfg.Retries)*cfg.Timeout)
	}
	if cfg.NASIdentifier == "" {
		cfg.NASIdentifier = "dcvix"
	}
	if cfg.MaxConcurrent == 0 {
		cfg.MaxConcurrent = 256
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
}

func check(cfg Config) error {
	var errs []error
	if cfg.Secret == "" {
		errs = append(errs, errors.New("the radius secret is empty: write the one that the server has for this director (radius_secret)"))
	}
	if cfg.Timeout < 0 || cfg.Deadline < 0 || cfg.MaxConcurrent < 0 {
		errs = append(errs, errors.New("radius: Timeout, Deadline and MaxConcurrent cannot be negative"))
	}
	if len(cfg.NASIdentifier) > maxAttribute {
		errs = append(errs, fmt.Errorf("the radius NAS identifier has %d bytes: write at most %d (radius_nas_identifier)", len(cfg.NASIdentifier), maxAttribute))
	}
	return errors.Join(errs...)
}

// parseServers reads host[:port]; an IPv6 address with a port has brackets.
func parseServers(names []string, port int) ([]*server, error) {
	if len(names) == 0 {
		return nil, errors.New("there is no radius server: write the name or address of one (radius_server)")
	}
	servers := make([]*server, 0, len(names))
	for _, name := range names {
		host, of := strings.Trim(name, "[]"), strconv.Itoa(port)
		if _, err := netip.ParseAddr(host); err != nil && strings.Contains(name, ":") {
			if host, of, err = net.SplitHostPort(name); err != nil {
				return nil, badServer(name)
			}
		}
		if n, err := strconv.Atoi(of); err != nil || n < 1 || n > 65535 || host == "" || len(host) > maxAttribute {
			return nil, badServer(name)
		}
		servers = append(servers, &server{address: net.JoinHostPort(host, of)})
	}
	return servers, nil
}

func badServer(name string) error {
	return fmt.Errorf("the radius server %.80q is no host or host:port: write radius1.example, 10.0.0.1:1812 or [2001:db8::1]:1812 (radius_server)", name)
}

// Authenticate implements [auth.Authenticator].
//
// The canonical name is the User-Name of the Access-Accept when it has a valid
// one, else what was typed; the groups are its Filter-Id attributes. When a
// server challenges the password and c.OTP is there already, it is the answer
// to that challenge, so who typed both at once is not asked again.
//
// The State of a challenge holds no secret of ours, and nothing protects it
// against change: keep it, or seal it, before somebody else gets it.
func (b *Backend) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	if why := unsendable(c); why != "" {
		b.cfg.Logger.InfoContext(ctx, "login refused before a radius server was asked", slog.String("user", c.User), slog.String("reason", why))
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Deadline)
	defer cancel()
	select {
	case b.asking <- struct{}{}:
		defer func() { <-b.asking }()
	case <-ctx.Done():
		return auth.Identity{}, unavailable(ctx.Err())
	}
	if c.Challenge != "" {
		return b.answer(ctx, c)
	}
	who, err := b.ask(ctx, question{user: c.User, answer: c.Password}, b.inOrder(time.Now()))
	if challenge := (*auth.Challenge)(nil); c.OTP != "" && errors.As(err, &challenge) {
		c.Challenge = challenge.State
		return b.answer(ctx, c)
	}
	return who, err
}

// unsendable returns why the credentials do not fit into a packet, or nothing.
// PAP pads passwords with NUL, so one in the password would be lost at its end.
func unsendable(c auth.Credentials) string {
	switch {
	case len(c.User) > maxAttribute:
		return "the user name is longer than 253 bytes"
	case len(c.Password) > maxPassword, len(c.OTP) > maxPassword:
		return "the password or code is longer than 128 bytes"
	case strings.ContainsRune(string(c.Password), 0), strings.ContainsRune(string(c.OTP), 0):
		return "the password or code contains a NUL"
	}
	return ""
}

// answer sends the answer to a challenge to the server that gave it.
func (b *Backend) answer(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	open, ok := openChallenge(c.Challenge)
	i := slices.IndexFunc(b.servers, func(s *server) bool { return s.address == open.Server })
	if !ok || i < 0 || open.User != c.User || c.OTP == "" {
		b.cfg.Logger.InfoContext(ctx, "answer to no challenge of this user refused", slog.String("user", c.User))
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	q := question{user: c.User, answer: c.OTP, state: open.State, steps: open.Steps}
	return b.ask(ctx, q, b.servers[i:i+1])
}

// A question is one step of a login.
type question struct {
	user   string
	answer auth.Secret // the password, or what a challenge is answered with
	state  []byte      // of that challenge
	steps  int         // challenges so far
}

// ask puts the question to one server after the other, until one answers.
func (b *Backend) ask(ctx context.Context, q question, servers []*server) (auth.Identity, error) {
	login := enquiry{
		packet: func(local net.Addr) (*radius.Packet, error) { return b.accessRequest(q, local) },
		tries:  1 + b.cfg.Retries,
		strict: !b.cfg.AllowUnsigned,
	}
	var last error
	for _, s := range servers {
		reply, err := b.exchange(ctx, s, login)
		if err == nil {
			return b.judge(ctx, s, q, reply)
		}
		if last = fmt.Errorf("radius server %s: %w", s.address, err); ctx.Err() != nil {
			break
		}
	}
	return auth.Identity{}, unavailable(last)
}

func (b *Backend) judge(ctx context.Context, s *server, q question, reply *radius.Packet) (auth.Identity, error) {
	switch reply.Code {
	case radius.CodeAccessAccept:
		groups, left := groupsOf(reply)
		if left > 0 {
			b.cfg.Logger.WarnContext(ctx, "groups of a radius server left out: they are too many or not well formed",
				slog.String("server", s.address), slog.String("user", q.user), slog.Int("groups", left))
		}
		return auth.Identity{User: canonicalName(reply, q.user), Groups: groups}, nil
	case radius.CodeAccessChallenge:
		challenge, err := newChallenge(reply, s, q)
		if err != nil {
			b.cfg.Logger.WarnContext(ctx, "challenge of a radius server not passed on", slog.String("server", s.address), slog.Any("error", err))
			return auth.Identity{}, unavailable(err)
		}
		return auth.Identity{}, challenge
	default: // request.open lets no other code through
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
}

func unavailable(err error) error {
	return fmt.Errorf("radius: %w", errors.Join(auth.ErrUnavailable, err))
}

// inOrder returns the servers as they were configured, those that failed lately
// last.
func (b *Backend) inOrder(now time.Time) []*server {
	servers := slices.Clone(b.servers)
	slices.SortStableFunc(servers, func(x, y *server) int { return x.rank(now) - y.rank(now) })
	return servers
}
