package client

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/dcvix/dcvix"
)

// Health asks whether the director is well. Its protocol is 0 when the director
// is of the 0.1 generation. It needs no login.
func (c *Client) Health(ctx context.Context) (dcvix.Health, error) {
	var health dcvix.Health
	if _, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathHealth, out: &health}); err != nil {
		return dcvix.Health{}, err
	}
	if health.Status == "" {
		return dcvix.Health{}, c.notDirector("its health has no status")
	}
	return health, nil
}

// CA returns the certificate of the director's CA in PEM. It needs no login. On
// a connection that is not verified the answer proves nothing.
func (c *Client) CA(ctx context.Context) (string, error) {
	var pem string
	if _, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathCA, out: &pem, new: true}); err != nil {
		return "", err
	}
	if !strings.Contains(pem, "-----BEGIN CERTIFICATE-----") {
		return "", c.notDirector("its CA is no certificate in PEM")
	}
	return pem, nil
}

// LoginOptions asks what a login form should show. It needs no login.
func (c *Client) LoginOptions(ctx context.Context) (dcvix.LoginOptions, error) {
	var options dcvix.LoginOptions
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathUserLogin, out: &options, new: true})
	return options, err
}

// Login logs a person in and keeps the cookie. The error is a [*ChallengeError]
// when the director wants a second step, and a [*dcvix.Error] with code
// [dcvix.CodeUnauthenticated] when it refuses; an earlier login then stays.
func (c *Client) Login(ctx context.Context, req dcvix.LoginRequest) error {
	return c.login(ctx, dcvix.PathUserLogin, req)
}

// AdminLogin is Login for the calls that only an admin may make.
func (c *Client) AdminLogin(ctx context.Context, req dcvix.LoginRequest) error {
	return c.login(ctx, dcvix.PathAdminLogin, req)
}

func (c *Client) login(ctx context.Context, path string, req dcvix.LoginRequest) error {
	header, err := c.do(ctx, call{method: http.MethodPost, path: path, body: req})
	if err != nil {
		return err
	}
	for _, cookie := range (&http.Response{Header: header}).Cookies() {
		if cookie.Name == dcvix.CookieName && cookie.Value != "" {
			c.setCookie(cookie.Value)
			return nil
		}
	}
	return c.notDirector("it sends no session cookie after a login")
}

// Logout ends the login at the director and forgets the cookie, also when the
// director cannot be told.
func (c *Client) Logout(ctx context.Context) error {
	defer c.setCookie("")
	_, err := c.do(ctx, call{method: http.MethodPost, path: dcvix.PathLogout})
	return err
}

// Servers returns the names that the user may ask a session on, in the order of
// the policy. [dcvix.AllowCustom] among them means any other host too.
func (c *Client) Servers(ctx context.Context) ([]string, error) {
	res, err := c.ServerList(ctx)
	return res.Servers, err
}

// ServerList is Servers with the reason why there are none. A director of the 0.1
// generation gives no reason.
func (c *Client) ServerList(ctx context.Context) (dcvix.ServersResponse, error) {
	var res dcvix.ServersResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathUserServers, out: &res})
	res.Reason = dcvix.OneLine(res.Reason, maxMessage)
	return res, err
}

// UserSessions returns the user's own sessions on all hosts. A director of the
// 0.1 generation cannot tell: the error is [errors.ErrUnsupported] then.
func (c *Client) UserSessions(ctx context.Context) ([]dcvix.Session, error) {
	var sessions []dcvix.Session
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathUserSessions, out: &sessions, new: true})
	return sessions, err
}

// Desktops returns what the user may open, with what it is just now. A director of
// the 0.1 generation cannot tell: the error is [errors.ErrUnsupported] then.
func (c *Client) Desktops(ctx context.Context) (dcvix.DesktopsResponse, error) {
	var res dcvix.DesktopsResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathUserDesktops, out: &res, new: true})
	return res, err
}

// CreateSession asks for a session of the logged-in user, who gets the one that
// exists already if it is of that type.
func (c *Client) CreateSession(ctx context.Context, req dcvix.CreateSessionRequest) (dcvix.CreateSessionResponse, error) {
	return c.create(ctx, dcvix.PathUserSessions, req)
}

func (c *Client) create(ctx context.Context, path string, req dcvix.CreateSessionRequest) (dcvix.CreateSessionResponse, error) {
	var res dcvix.CreateSessionResponse
	if _, err := c.do(ctx, call{method: http.MethodPost, path: path, body: req, out: &res}); err != nil {
		return dcvix.CreateSessionResponse{}, err
	}
	if res.SessionID == "" {
		return dcvix.CreateSessionResponse{}, c.notDirector("its answer names no session")
	}
	return res, nil
}

// ConnectionToken returns what a viewer needs to open a session of the user. A
// director of the 0.1 generation gives the token alone: the viewer connects to
// the server by its name then, on port 8443.
func (c *Client) ConnectionToken(ctx context.Context, id dcvix.SessionID, server string) (dcvix.ConnectionTokenResponse, error) {
	var res dcvix.ConnectionTokenResponse
	path := query(dcvix.PathUserConnectionToken, [2]string{"sessionId", string(id)}, [2]string{"serverId", server})
	if _, err := c.do(ctx, call{method: http.MethodGet, path: path, out: &res}); err != nil {
		return dcvix.ConnectionTokenResponse{}, err
	}
	if res.Token == "" {
		return dcvix.ConnectionTokenResponse{}, c.notDirector("its answer has no connection token")
	}
	return res, nil
}

// SetConfig changes settings of a server's DCV before a connection, as far as users
// may: display/quality, and what the director lists. While somebody else has a
// session there nothing changes, without an error.
func (c *Client) SetConfig(ctx context.Context, server string, settings ...dcvix.Setting) error {
	if err := checkSegment(server); err != nil {
		return err
	}
	path := dcvix.Path(dcvix.PathUserServerConfig, server)
	_, err := c.do(ctx, call{method: http.MethodPost, path: path, body: dcvix.ConfigRequest{Config: settings}})
	return err
}

// ResolveSession asks where a session is, as connection gateways do: from an
// address that the director lists, without a login. id may be {id}-{server}; an
// empty transport is [dcvix.TransportHTTP].
func (c *Client) ResolveSession(ctx context.Context, id, transport string) (dcvix.ResolvedSession, error) {
	var res dcvix.ResolvedSession
	path := query(dcvix.PathResolveSession, [2]string{"sessionId", id}, [2]string{"transport", cmp.Or(transport, dcvix.TransportHTTP)})
	if _, err := c.do(ctx, call{method: http.MethodPost, path: path, out: &res}); err != nil {
		return dcvix.ResolvedSession{}, err
	}
	if res.SessionID == "" || res.DCVServerEndpoint == "" {
		return dcvix.ResolvedSession{}, c.notDirector("its answer does not say where the session is")
	}
	return res, nil
}

// CloseSession closes a session of the user, or as an admin anybody's. server
// may be empty when the id is on one host only.
func (c *Client) CloseSession(ctx context.Context, id dcvix.SessionID, server string) error {
	if err := checkSegment(string(id)); err != nil {
		return err
	}
	var res dcvix.CloseSessionResponse
	path := query(dcvix.Path(dcvix.PathSession, string(id)), [2]string{"serverId", server})
	if _, err := c.do(ctx, call{method: http.MethodDelete, path: path, out: &res}); err != nil {
		return err
	}
	if res.Status == "error" { // a director of the 0.1 generation says so with status 200
		return &dcvix.Error{
			Code:    dcvix.CodeAgentFailed,
			Status:  http.StatusBadGateway,
			Message: firstClean(res.Message, "the host could not close the session"),
		}
	}
	return nil
}
