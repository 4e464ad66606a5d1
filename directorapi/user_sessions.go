package directorapi

import (
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/session"
)

func (s *Server) userServers(c echo.Context) error {
	who := s.actor(c)
	access := s.cfg.Broker.Access(who.User, who.Groups)
	names := make([]string, 0, len(access.Hosts)+1)
	names = append(names, access.Hosts...)
	if access.Custom {
		names = append(names, dcvix.AllowCustom)
	}
	return s.list(c, dcvix.ServersResponse{Servers: names, Reason: whyEmpty(access)})
}

// whyEmpty says why the policy lets a user open nothing; "" when it does.
func whyEmpty(a session.Access) string {
	switch {
	case len(a.Hosts) > 0 || a.Custom:
		return ""
	case !a.Known:
		return "The policy names neither you nor a group of yours: ask an administrator for a workstation."
	default:
		return "The policy gives you no workstation: ask an administrator for one."
	}
}

func (s *Server) userSessions(c echo.Context) error {
	return s.list(c, s.cfg.Broker.SessionsOf(s.actor(c).User))
}

func (s *Server) openOwnSession(c echo.Context) error {
	req, err := readJSON[dcvix.CreateSessionRequest](c)
	if err != nil {
		return err
	}
	kind, err := dcvix.ParseSessionType(req.SessionType)
	if err != nil {
		return malformed("The session type is \"console\" or \"virtual\".")
	}
	// Whoever the body names, a user asks for a session of their own.
	who := s.actor(c)
	who.Admin = false
	return s.open(c, who, session.OpenRequest{Owner: who.User, Server: req.ServerID, Pool: req.PoolID, Type: kind})
}

// userDesktops answers by the user's own rights, also an admin's.
func (s *Server) userDesktops(c echo.Context) error {
	who := s.actor(c)
	who.Admin = false
	return ok(c, s.desktops(who))
}

func (s *Server) desktops(who session.Actor) dcvix.DesktopsResponse {
	found := s.cfg.Broker.Desktops(who)
	answer := dcvix.DesktopsResponse{
		Desktops: make([]dcvix.Desktop, len(found)), Custom: s.cfg.Broker.Access(who.User, who.Groups).Custom,
	}
	for i, d := range found {
		kind := dcvix.DesktopHost
		if d.Pool {
			kind = dcvix.DesktopPool
		}
		answer.Desktops[i] = dcvix.Desktop{
			Kind: kind, Name: d.Name, ServerID: d.Host, State: string(d.State), Detail: d.Detail,
			Types: d.Types, Sessions: d.Sessions, Hosts: d.Hosts, Free: d.Free,
		}
	}
	return answer
}

// open opens a session for users and admins alike.
func (s *Server) open(c echo.Context, who session.Actor, want session.OpenRequest) error {
	if want.Server != "" && want.Pool != "" {
		return malformed("The request has serverId and poolId: send one of them.")
	}
	opened, err := s.cfg.Broker.Open(c.Request().Context(), who, want)
	record := s.act(c, session.AuditSessionOpen)
	where := want.Server
	if want.Pool != "" {
		where = "pool " + want.Pool
	}
	record.Target, record.New = string(want.ID), fmt.Sprintf("%s session for %s on %s", want.Type, want.Owner, where)
	if err == nil {
		record.Target, record.New = string(opened.ID), fmt.Sprintf("%s session for %s on %s", opened.Type, want.Owner, opened.Server)
	}
	if err := s.onRecord(c, record, err); err != nil {
		return err
	}
	return ok(c, createdSession(opened))
}

func createdSession(o session.OpenedSession) dcvix.CreateSessionResponse {
	return dcvix.CreateSessionResponse{SessionID: o.ID, ServerID: o.Server, SessionType: o.Type, Reused: o.Reused}
}

func (s *Server) connectionToken(c echo.Context) error {
	user := s.actor(c).User
	id, server := dcvix.SessionID(c.QueryParam("sessionId")), c.QueryParam("serverId")
	at, err := s.cfg.Broker.Connect(c.Request().Context(), user, id, server)
	record := s.act(c, session.AuditSessionConnect)
	record.Target, record.New = string(id), server
	if err == nil {
		record.Target, record.New = string(at.Session), string(at.Server)
	}
	if err := s.onRecord(c, record, err); err != nil {
		return err
	}
	sealed, expires, err := s.cfg.Tokens.Seal(token.Claims{
		User: user, Category: token.Connection, Session: at.Session, Server: at.Server,
	}, s.cfg.ConnectionTokenTTL)
	if err != nil {
		return err
	}
	answer := dcvix.ConnectionTokenResponse{
		Token: sealed, Host: at.Host, Port: at.Port, WebURLPath: at.WebPath, SessionID: at.Session, ExpiresAt: dcvix.Time{Time: expires},
	}
	if s.gateway.port != 0 {
		answer.Host, answer.Port, answer.WebURLPath = s.gateway.host, s.gateway.port, "/"
		answer.SessionID = dcvix.SessionID(at.Shared()) // the gateway asks with what the viewer says
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return ok(c, answer)
}

// closeSession is for the owner and for admins.
func (s *Server) closeSession(c echo.Context) error {
	id := dcvix.SessionID(c.Param("id"))
	err := s.cfg.Broker.Close(c.Request().Context(), s.actor(c), id, c.QueryParam("serverId"))
	record := s.act(c, session.AuditSessionClose)
	record.Target, record.Old = string(id), c.QueryParam("serverId")
	if err := s.noted(c, record, err); err != nil {
		return err
	}
	return ok(c, dcvix.CloseSessionResponse{Status: "success", Code: 200, Message: "Session " + string(id) + " is closed."})
}
