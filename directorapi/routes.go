package directorapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// access says who may use a route. Its zero value is nobody's: a route that
// forgot to say fails New.
type access int

const (
	_             access = iota
	accessNone           // no login
	accessUser           // a login of any user
	accessAdmin          // a login as admin by somebody who still is one
	accessAgent          // the client certificate of a registered agent
	accessDCV            // no login; the token in the body decides
	accessGateway        // no login; the address of a connection gateway
)

// audience says in which parts of the Server a route is.
type audience int

const (
	forUsers   audience = 1
	forAgents  audience = 2
	forControl audience = 4

	forNetwork = forUsers | forAgents
	forAdmins  = forUsers | forControl
	forAll     = forNetwork | forControl
)

// The limits of request bodies, in bytes.
const (
	limitStranger = 64 << 10
	limitKnown    = 1 << 20
)

// A route is one row of the API.
type route struct {
	method  string
	path    string
	access  access
	parts   audience
	refused session.AuditAction // what a refusal is on record as; "" means that it is not, or that the handler sees to it
	handler func(*Server, echo.Context) error
}

// routes is the API. The parts of paths in braces are parameters.
func routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{get, dcvix.PathHealth, accessNone, forAll, "", (*Server).health},
		{get, dcvix.PathCA, accessNone, forAll, "", (*Server).certificate},
		{get, pathOpenAPI, accessNone, forUsers, "", (*Server).openAPI},
		{get, dcvix.PathAuthHealth, accessUser, forUsers, "", (*Server).authHealth},

		{get, dcvix.PathUserLogin, accessNone, forUsers, "", (*Server).loginOptions},
		{post, dcvix.PathUserLogin, accessNone, forUsers, "", (*Server).userLogin},
		{post, dcvix.PathAdminLogin, accessNone, forUsers, "", (*Server).adminLogin},
		{post, dcvix.PathLogout, accessNone, forUsers, "", (*Server).logout},

		{get, dcvix.PathUserServers, accessUser, forUsers, "", (*Server).userServers},
		{get, dcvix.PathUserDesktops, accessUser, forUsers, "", (*Server).userDesktops},
		{get, dcvix.PathUserSessions, accessUser, forUsers, "", (*Server).userSessions},
		{post, dcvix.PathUserSessions, accessUser, forUsers, "", (*Server).openOwnSession},
		{post, dcvix.PathUserServerConfig, accessUser, forUsers, "", (*Server).setConfig},
		{get, dcvix.PathUserConnectionToken, accessUser, forUsers, "", (*Server).connectionToken},
		{post, dcvix.PathAuthTokenVerify, accessDCV, forUsers, "", (*Server).verifyToken},
		{post, dcvix.PathAuthTokenVerify + "/", accessDCV, forUsers, "", (*Server).verifyToken},
		{post, dcvix.PathResolveSession, accessGateway, forUsers, session.AuditSessionResolve, (*Server).resolveSession},

		{get, dcvix.PathSessions, accessAdmin, forUsers, "", (*Server).listSessions},
		{post, dcvix.PathSessions, accessAdmin, forUsers, "", (*Server).openSession},
		{del, dcvix.PathSession, accessUser, forUsers, "", (*Server).closeSession},
		{get, dcvix.PathServers, accessAdmin, forUsers, "", (*Server).listServers},
		{get, dcvix.PathServer, accessAdmin, forUsers, "", (*Server).showServer},
		{get, dcvix.PathEvents, accessUser, forUsers, "", (*Server).streamEvents},

		{get, dcvix.PathAdminOverview, accessAdmin, forUsers, "", (*Server).overview},
		{get, dcvix.PathAdminAgents, accessAdmin, forAdmins, "", (*Server).listAgents},
		{post, dcvix.PathAdminAgentsApprove, accessAdmin, forAdmins, session.AuditAgentApprove, (*Server).approveAgents},
		{post, dcvix.PathAdminAgentApprove, accessAdmin, forAdmins, session.AuditAgentApprove, (*Server).approveAgent},
		{post, dcvix.PathAdminAgentDeny, accessAdmin, forAdmins, session.AuditAgentDeny, (*Server).denyAgent},
		{post, dcvix.PathAdminAgentRevoke, accessAdmin, forAdmins, session.AuditAgentRevoke, (*Server).revokeAgent},
		{post, dcvix.PathAdminAgentReactivate, accessAdmin, forAdmins, session.AuditAgentReactivate, (*Server).reactivateAgent},
		{get, dcvix.PathAdminDenials, accessAdmin, forAdmins, "", (*Server).listDenials},
		{del, dcvix.PathAdminDenial, accessAdmin, forAdmins, session.AuditForgetDenial, (*Server).forgetDenial},
		{get, dcvix.PathAdminServerHistory, accessAdmin, forUsers, "", (*Server).serverHistory},
		{post, dcvix.PathAdminServerDrain, accessAdmin, forAdmins, session.AuditHostDrain, (*Server).drain},
		{post, dcvix.PathAdminServerUndrain, accessAdmin, forAdmins, session.AuditHostUndrain, (*Server).undrain},
		{post, dcvix.PathAdminExplain, accessAdmin, forAdmins, "", (*Server).explain},
		{get, dcvix.PathAdminAudit, accessAdmin, forUsers, "", (*Server).readAudit},
		{get, dcvix.PathAdminAuditExport, accessAdmin, forUsers, session.AuditExport, (*Server).exportAudit},
		{get, dcvix.PathAdminPolicy, accessAdmin, forUsers, "", (*Server).policy},
		{get, dcvix.PathAdminPolicyAccess, accessAdmin, forAdmins, "", (*Server).policyAccess},
		{get, dcvix.PathAdminPolicyReach, accessAdmin, forAdmins, "", (*Server).policyReach},

		{post, dcvix.PathAgentRegister, accessNone, forAgents, session.AuditAgentRegister, (*Server).registerAgent},
		{post, dcvix.PathAgentRenew, accessAgent, forAgents, session.AuditAgentCertify, (*Server).renewAgent},
		{post, dcvix.PathAgentUpdate, accessAgent, forAgents, session.AuditAgentReport, (*Server).updateAgent},
	}
}

func (r route) check() error {
	switch {
	case r.access < accessNone || r.access > accessGateway:
		return fmt.Errorf("route %s %s does not say who may use it", r.method, r.path)
	case r.parts == 0:
		return fmt.Errorf("route %s %s is in no part of the server", r.method, r.path)
	case r.handler == nil:
		return fmt.Errorf("route %s %s has no handler", r.method, r.path)
	case r.parts&forControl != 0 && r.access != accessAdmin && r.access != accessNone:
		return fmt.Errorf("route %s %s is for an operator and needs another login", r.method, r.path)
	}
	return nil
}

func (r route) limit() int64 {
	if r.access == accessUser || r.access == accessAdmin || r.access == accessAgent {
		return limitKnown
	}
	return limitStranger
}

// echoPath turns {id} into :id.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
