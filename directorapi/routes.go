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
	_           access = iota
	accessNone         // no login
	accessUser         // a login of any user
	accessAdmin        // a login as admin by somebody who still is one
	accessAgent        // the client certificate of a registered agent
	accessDCV          // no login; the token in the body decides
)

// audience says in which half of the Server a route is.
type audience int

const (
	forUsers  audience = 1
	forAgents audience = 2
	forAll             = forUsers | forAgents
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
	handler func(*Server, echo.Context) error
}

// routes is the API. The parts of paths in braces are parameters.
func routes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{get, dcvix.PathHealth, accessNone, (*Server).health},
		{get, dcvix.PathCA, accessNone, (*Server).certificate},
		{get, pathOpenAPI, accessNone, (*Server).openAPI},
		{get, dcvix.PathAuthHealth, accessUser, (*Server).authHealth},

		{get, dcvix.PathUserLogin, accessNone, (*Server).loginOptions},
		{post, dcvix.PathUserLogin, accessNone, (*Server).userLogin},
		{post, dcvix.PathAdminLogin, accessNone, (*Server).adminLogin},
		{post, dcvix.PathLogout, accessNone, (*Server).logout},

		{get, dcvix.PathUserServers, accessUser, (*Server).userServers},
		{get, dcvix.PathUserSessions, accessUser, (*Server).userSessions},
		{post, dcvix.PathUserSessions, accessUser, (*Server).openOwnSession},
		{get, dcvix.PathUserConnectionToken, accessUser, (*Server).connectionToken},
		{post, dcvix.PathAuthTokenVerify, accessDCV, (*Server).verifyToken},
		{post, dcvix.PathAuthTokenVerify + "/", accessDCV, (*Server).verifyToken},

		{get, dcvix.PathSessions, accessAdmin, (*Server).listSessions},
		{post, dcvix.PathSessions, accessAdmin, (*Server).openSession},
		{del, dcvix.PathSession, accessUser, (*Server).closeSession},
		{get, dcvix.PathServers, accessAdmin, (*Server).listServers},

		{get, dcvix.PathAdminAgents, accessAdmin, (*Server).listAgents},
		{post, dcvix.PathAdminAgentApprove, accessAdmin, (*Server).approveAgent},
		{post, dcvix.PathAdminAgentDeny, accessAdmin, (*Server).denyAgent},
		{post, dcvix.PathAdminAgentRevoke, accessAdmin, (*Server).revokeAgent},
		{post, dcvix.PathAdminAgentReactivate, accessAdmin, (*Server).reactivateAgent},

		{post, dcvix.PathAgentRegister, accessNone, (*Server).registerAgent},
		{post, dcvix.PathAgentRenew, accessAgent, (*Server).renewAgent},
		{post, dcvix.PathAgentUpdate, accessAgent, (*Server).updateAgent},
	}
}

func (r route) check() error {
	switch {
	case r.access < accessNone || r.access > accessDCV:
		return fmt.Errorf("route %s %s does not say who may use it", r.method, r.path)
	case r.handler == nil:
		return fmt.Errorf("route %s %s has no handler", r.method, r.path)
	}
	return nil
}

// audience is both for what agents need besides their own routes.
func (r route) audience() audience {
	switch r.path {
	case dcvix.PathAgentRegister, dcvix.PathAgentRenew, dcvix.PathAgentUpdate:
		return forAgents
	case dcvix.PathHealth, dcvix.PathCA:
		return forAll
	}
	return forUsers
}

// action is what a refusal of the route is on record as; "" means that it is not,
// or that its handler sees to it.
func (r route) action() session.AuditAction {
	switch r.path {
	case dcvix.PathAgentRegister:
		return session.AuditAgentRegister
	case dcvix.PathAgentRenew:
		return session.AuditAgentCertify
	case dcvix.PathAgentUpdate:
		return session.AuditAgentReport
	case dcvix.PathAdminAgentApprove:
		return session.AuditAgentApprove
	case dcvix.PathAdminAgentDeny:
		return session.AuditAgentDeny
	case dcvix.PathAdminAgentRevoke:
		return session.AuditAgentRevoke
	case dcvix.PathAdminAgentReactivate:
		return session.AuditAgentReactivate
	}
	return ""
}

func (r route) limit() int64 {
	if r.access == accessNone || r.access == accessDCV {
		return limitStranger
	}
	return limitKnown
}

// echoPath turns {id} into :id.
func echoPath(path string) string {
	return strings.NewReplacer("{", ":", "}", "").Replace(path)
}
