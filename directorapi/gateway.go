package directorapi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// admitGateway lets in requests from the addresses of connection gateways.
func (s *Server) admitGateway(c echo.Context) error {
	if from, ok := parseAddress(c.RealIP()); !ok || !within(s.cfg.Gateways, from) {
		return errNoGateway
	}
	return nil
}

// resolveSession tells a connection gateway where a session is. It knows no users:
// the DCV server there asks whether the token is good.
func (s *Server) resolveSession(c echo.Context) error {
	asked := dcvix.ResolveSessionRequest{SessionID: c.QueryParam("sessionId"), Transport: c.QueryParam("transport")}
	old := asked.SessionID == ""
	if old {
		var err error
		if asked, err = readOptionalJSON[dcvix.ResolveSessionRequest](c); err != nil {
			return err
		}
	}
	transport := strings.ToUpper(asked.Transport)
	switch {
	case asked.SessionID == "":
		return malformed("The request names no session: send sessionId.")
	case transport != dcvix.TransportHTTP && transport != dcvix.TransportQUIC:
		return malformed("The transport is \"HTTP\" or \"QUIC\".")
	}
	at, err := s.cfg.Broker.Locate(c.Request().Context(), asked.SessionID)
	if err != nil {
		return s.unresolved(c, asked.SessionID, err)
	}
	if old {
		return ok(c, dcvix.OldResolvedSession{
			SessionID: at.Session, TransportProtocol: transport, DCVServerEndpoint: at.Host, Port: strconv.Itoa(at.Port), WebURLPath: at.WebPath,
		})
	}
	return ok(c, dcvix.ResolvedSession{
		SessionID: at.Session, TransportProtocol: transport, DCVServerEndpoint: at.Host, Port: at.Port, WebURLPath: at.WebPath,
	})
}

// unresolved puts on record, once a minute with their number, what a gateway asked
// for in vain. Of ids that are on several hosts it names each, for the admin to see
// why these do not pass the gateway.
func (s *Server) unresolved(c echo.Context, name string, err error) error {
	record := session.AuditRecord{Action: session.AuditSessionResolve}
	if errors.Is(err, session.ErrAmbiguous) {
		record.Target = name
	}
	return s.noted(c, record, fmt.Errorf("%w: %w", errNoSession, err))
}
