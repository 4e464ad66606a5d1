package directorcmd

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/external"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// A Section is where a backend declares its keys in the configuration file, in
// the manner of package flag.
type Section = inifile.Section

// A BackendFactory declares the keys of a login backend in the section
// "{name}_auth" and returns what opens it once they are read.
type BackendFactory func(*Section) BackendOpener

// A BackendOpener opens a login backend. It is called once, for the backend that
// auth_type names.
type BackendOpener func(ctx context.Context, logger *slog.Logger) (auth.Authenticator, error)

// Backends returns the login backends of dcvix-director. The caller may add to
// the map.
func Backends() map[string]BackendFactory {
	return map[string]BackendFactory{
		"external": externalBackend,
		"ldap":     ldapBackend,
		"radius":   radiusBackend,
	}
}

func externalBackend(s *Section) BackendOpener {
	var command, args string
	var timeout time.Duration
	s.Program(&command, "external_command", "/usr/bin/external-auth", "program that gets user, password and one-time password as three lines; exit 0 = good, 1 = refused")
	s.String(&args, "args", "", "its arguments, separated by spaces")
	s.Duration(&timeout, "timeout", 10*time.Second, "after which it is killed").Between(time.Second, 5*time.Minute)
	return func(_ context.Context, logger *slog.Logger) (auth.Authenticator, error) {
		return external.New(external.Config{Command: command, Args: strings.Fields(args), Timeout: timeout, Logger: logger})
	}
}
