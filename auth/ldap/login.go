package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/dcvix/dcvix/auth"
)

// Authenticate implements [auth.Authenticator]. A wrong service account or base
// DN is [auth.ErrUnavailable] too: the logger hears which key to mend.
func (b *Backend) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	select {
	case b.running <- struct{}{}:
		defer func() { <-b.running }()
	case <-ctx.Done():
		return auth.Identity{}, unavailable(ctx)
	}
	for _, s := range b.order() {
		who, err := b.login(ctx, s, c)
		f, failed := errors.AsType[*fault](err)
		if !failed {
			b.answered(s)
			return who, err
		}
		if errors.Is(ctx.Err(), context.Canceled) {
			break // nobody waits any more, and nothing is known of the server
		}
		b.logFault(ctx, s, f, c.Password)
		if !f.down {
			break
		}
		s.rest(time.Now().Add(restTime))
		if ctx.Err() != nil {
			break
		}
	}
	return auth.Identity{}, unavailable(ctx)
}

// CheckHealth asks the directory for its base DN as the service account. Its
// error is a sentence for the operator and wraps [auth.ErrUnavailable].
func (b *Backend) CheckHealth(ctx context.Context) error {
	req := goldap.NewSearchRequest(b.cfg.BaseDN, goldap.ScopeBaseObject, goldap.NeverDerefAliases, 1, b.seconds(), false,
		"(objectClass=*)", []string{"1.1"}, nil)
	var problems []string
	for _, s := range b.order() {
		_, err := b.search(ctx, s, req)
		f, failed := errors.AsType[*fault](err)
		if !failed {
			b.answered(s)
			return nil
		}
		if problems = append(problems, f.text); !f.down {
			break
		}
		s.rest(time.Now().Add(restTime))
	}
	return fmt.Errorf("%w: %s", unavailable(ctx), strings.Join(problems, "; "))
}

func unavailable(ctx context.Context) error {
	return fmt.Errorf("directory: %w", errors.Join(auth.ErrUnavailable, context.Cause(ctx)))
}

// login asks one server. Its error is [auth.ErrInvalidCredentials] or a *fault.
// A refusal takes one search and one bind, whatever its reason.
func (b *Backend) login(ctx context.Context, s *server, c auth.Credentials) (auth.Identity, error) {
	entry, reason, err := b.find(ctx, s, c.User)
	if err != nil {
		return auth.Identity{}, err
	}
	dn := b.nobody
	if entry != nil {
		dn = entry.DN
	}
	refusal, err := b.tryPassword(ctx, s, dn, c.Password)
	if err != nil {
		return auth.Identity{}, err
	}
	var who auth.Identity
	if reason == "" {
		reason = refusal
	}
	if reason == "" {
		who, reason = b.identity(ctx, entry, c.User)
	}
	if reason != "" {
		b.cfg.Logger.InfoContext(ctx, "login refused", slog.String("user", c.User), slog.String("reason", reason), slog.String("server", s.url))
		return auth.Identity{}, auth.ErrInvalidCredentials
	}
	return who, nil
}

// find returns the one entry of a name, or the reason why there is none.
func (b *Backend) find(ctx context.Context, s *server, user string) (entry *goldap.Entry, reason string, err error) {
	req := goldap.NewSearchRequest(b.cfg.BaseDN, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, 2, b.seconds(), false,
		filterFor(b.cfg.Filter, user), b.attributes(), nil)
	entries, err := b.search(ctx, s, req)
	switch {
	case err != nil:
		return nil, "", err
	case len(entries) == 0:
		return nil, "the directory has no entry of this name", nil
	case len(entries) > 1:
		return nil, "the directory has several entries of this name: make ldap_filter or ldap_base_dn narrower", nil
	case entries[0].DN == "":
		// A bind without a name is anonymous, and passes with any password.
		return nil, "the directory named no DN for the entry", nil
	}
	return entries[0], "", nil
}

// search searches as the service account. A connection that was kept may have
// died since: then it is tried once more on a new one. When there are more
// entries than the request allows it returns two at least.
func (b *Backend) search(ctx context.Context, s *server, req *goldap.SearchRequest) ([]*goldap.Entry, error) {
	if c := s.take(); c != nil {
		if entries, err := searchAndKeep(ctx, s, c, req); err == nil {
			return entries, nil
		}
	}
	c, err := b.dialService(ctx, s)
	if err != nil {
		return nil, err
	}
	entries, err := searchAndKeep(ctx, s, c, req)
	if err != nil {
		return nil, b.searchFault(s, err)
	}
	return entries, nil
}

func searchAndKeep(ctx context.Context, s *server, c *conn, req *goldap.SearchRequest) ([]*goldap.Entry, error) {
	entries, err := c.search(ctx, req)
	if goldap.IsErrorWithCode(err, goldap.LDAPResultSizeLimitExceeded) {
		c.close()
		return make([]*goldap.Entry, 2), nil
	}
	if err != nil {
		c.close()
		return nil, err
	}
	s.put(c)
	return entries, nil
}

// dialService returns a connection on which the service account is bound.
func (b *Backend) dialService(ctx context.Context, s *server) (*conn, error) {
	c, err := b.dial(ctx, s)
	if err != nil {
		return nil, b.dialFault(s, err)
	}
	if b.cfg.BindUser == "" {
		err = c.bindAnonymously(ctx)
	} else {
		_, err = c.bind(ctx, b.cfg.BindUser, b.cfg.BindPassword)
	}
	if err != nil {
		c.close()
		return nil, b.serviceFault(s, err)
	}
	return c, nil
}

// tryPassword binds on a connection that is used for nothing else. It returns
// why the password is refused, "" when it is right.
func (b *Backend) tryPassword(ctx context.Context, s *server, dn string, password auth.Secret) (reason string, err error) {
	c, err := b.dial(ctx, s)
	if err != nil {
		return "", b.dialFault(s, err)
	}
	defer c.close()
	policy, err := c.bind(ctx, dn, password)
	reason = refusal(err)
	if err != nil && reason == "" {
		return "", b.bindFault(s, err)
	}
	switch policy {
	case goldap.BeheraPasswordExpired:
		reason = "the password has expired"
	case goldap.BeheraAccountLocked:
		reason = "the account is locked"
	case goldap.BeheraChangeAfterReset:
		reason = "the password must be changed first"
	}
	return reason, nil
}

// attributes are those that a login needs.
func (b *Backend) attributes() []string {
	names := append([]string{attrAccountControl}, b.nameAttributes()...)
	if b.cfg.GroupAttribute != "" {
		names = append(names, b.cfg.GroupAttribute)
	}
	return names
}

// seconds is the time-out in the form of a search request.
func (b *Backend) seconds() int { return int((b.cfg.Timeout + time.Second - 1) / time.Second) }
