package directorcmd

import (
	"context"
	"log/slog"
	"time"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
)

func pamBackend(s *Section) BackendOpener {
	var cfg pam.Config
	s.String(&cfg.Service, "pam_service_name", "login", "PAM service that decides, a file in /etc/pam.d")
	s.Path(&cfg.Helper, "pam_helper", "", "path of dcvix-pam-helper; empty looks beside this program, in /usr/libexec/dcvix and in /usr/lib/dcvix")
	s.Path(&cfg.Socket, "pam_socket", "", "socket on which systemd starts dcvix-pam-helper as root, /run/dcvix-pam.sock; empty starts it as the director's user")
	s.Duration(&cfg.Timeout, "pam_timeout", 25*time.Second, "after which a login is given up and its helper killed").Between(time.Second, 5*time.Minute)
	s.Int(&cfg.MaxConcurrent, "pam_max_concurrent", 64, "helpers that run at once; further logins wait").Range(1, 10_000)
	return func(ctx context.Context, logger *slog.Logger) (auth.Authenticator, error) {
		cfg.Logger = logger
		backend, err := pam.New(cfg)
		if err != nil {
			return nil, err
		}
		if err := backend.CheckHealth(ctx); err != nil {
			return nil, err
		}
		return backend, nil
	}
}
