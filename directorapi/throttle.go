package directorapi

import (
	"context"
	"fmt"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/token"
)

// throttled returns the login backend within the limits of the throttle. A login
// of somebody who is no admin, where admins log in, is a failure to the throttle
// too: its patience would tell that the password is right.
func (s *Server) throttled(category token.Category) auth.Authenticator {
	if category != token.Admin {
		return s.cfg.Throttle.Around(s.cfg.Authenticator)
	}
	return s.cfg.Throttle.Around(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
		who, err := s.cfg.Authenticator.Authenticate(ctx, c)
		if err == nil && !s.cfg.Broker.Access(who.User, who.Groups).Admin {
			return auth.Identity{}, fmt.Errorf("%w: no admin", auth.ErrInvalidCredentials)
		}
		return who, err
	}))
}
