package directorcmd

import (
	"context"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

func radiusBackend(s *Section) BackendOpener {
	var cfg radius.Config
	var secret string
	var signed bool
	s.List(&cfg.Servers, "radius_server", "127.0.0.1", "servers in the order of preference, each a host or host:port, separated by commas")
	s.Int(&cfg.Port, "radius_port", 1812, "port of servers that are named without one").Range(1, 65535)
	s.Secret(&secret, "radius_secret", "secret", "what the servers share with this director; 16 random characters or more")
	s.Duration(&cfg.Timeout, "radius_timeout", 3*time.Second, "how long one try waits for an answer").Between(100*time.Millisecond, 30*time.Second)
	s.Int(&cfg.Retries, "radius_retries", 2, "tries after the first one, at each server").Range(0, 10)
	s.Bool(&signed, "radius_require_message_authenticator", true, "refuse answers without a Message-Authenticator, which others could forge (CVE-2024-3596)")
	s.String(&cfg.NASIdentifier, "radius_nas_identifier", "dcvix", "what this director is called at the servers")
	return func(_ context.Context, logger *slog.Logger) (auth.Authenticator, error) {
		if cfg.Retries == 0 {
			cfg.Retries = -1 // there, 0 is the default
		}
		cfg.Secret, cfg.AllowUnsigned, cfg.Logger = auth.Secret(secret), !signed, logger
		return radius.New(cfg)
	}
}
