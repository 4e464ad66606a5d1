package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/cmd/directorcmd"
)

// siteBackend declares the keys of [site_auth] and returns what opens the
// backend once they are read.
func siteBackend(s *directorcmd.Section) directorcmd.BackendOpener {
	var address, caFile string
	var timeout time.Duration
	s.String(&address, "url", "https://login.example/check", "gets user and password as a form; 204 = good, 403 = refused")
	s.Path(&caFile, "ca_file", "", "certificates that may have signed that of the service; empty means the system's")
	s.Duration(&timeout, "timeout", 5*time.Second, "after which the service counts as down").Between(time.Second, time.Minute)
	return func(context.Context, *slog.Logger) (auth.Authenticator, error) {
		if !strings.HasPrefix(address, "https://") {
			return nil, fmt.Errorf("url = %s would show passwords to others: write one that starts with https://", address)
		}
		roots, err := certificates(caFile)
		if err != nil {
			return nil, err
		}
		return &site{url: address, client: &http.Client{
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       timeout,
		}}, nil
	}
}

func certificates(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // crypto/tls takes it for the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s has no certificate in PEM: name the one that signed the service's", file)
	}
	return roots, nil
}

// A site asks the login service. It is safe for concurrent use.
type site struct {
	url    string
	client *http.Client
}

var _ auth.Authenticator = (*site)(nil)

// Authenticate implements [auth.Authenticator].
func (s *site) Authenticate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	if err := c.Check(); err != nil {
		return auth.Identity{}, err
	}
	form := url.Values{"user": {c.User}, "password": {string(c.Password)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, strings.NewReader(form.Encode()))
	if err != nil {
		return auth.Identity{}, fmt.Errorf("login service: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.client.Do(req)
	if err != nil {
		return auth.Identity{}, fmt.Errorf("login service: %w", errors.Join(auth.ErrUnavailable, err))
	}
	_ = resp.Body.Close() // only the status counts
	switch resp.StatusCode {
	case http.StatusNoContent:
		return auth.Identity{User: dcvix.Username(c.User)}, nil
	case http.StatusForbidden:
		return auth.Identity{}, auth.ErrInvalidCredentials
	default:
		return auth.Identity{}, fmt.Errorf("login service answered %s: %w", resp.Status, auth.ErrUnavailable)
	}
}
