package directorapi

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
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

// audience says in which parts of the Server a route is.
type audience int

const (
	forUsers   audience = 1
	forAgents  audience = 2
	forControl audience = 4

	forNetwork = forUsers | forAgents
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
		{post, dcvix.PathAdminAgentsApprove, accessAdmin, (*Server).approveAgents},
		{post, dcvix.PathAdminAgentApprove, accessAdmin, (*Server).approveAgent},
		{post, dcvix.PathAdminAgentDeny, accessAdmin, (*Server).denyAgent},
		{post, dcvix.PathAdminAgentRevoke, accessAdmin, (*Server).revokeAgent},
		{post, dcvix.PathAdminAgentReactivate, accessAdmin, (*Server).reactivateAgent},
		{get, dcvix.PathAdminDenials, accessAdmin, (*Server).listDenials},
		{del, dcvix.PathAdminDenial, accessAdmin, (*Server).forgetDenial},

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
	case r.audience()&forControl != 0 && r.access != accessAdmin && r.access != accessNone:
		return fmt.Errorf("route %s %s is for an operator and needs another login", r.method, r.path)
	}
	return nil
}

// audience is users alone, but for what agents and the operator need.
func (r route) audience() audience {
	switch r.path {
	case dcvix.PathAgentRegister, dcvix.PathAgentRenew, dcvix.PathAgentUpdate:
		return forAgents
	case dcvix.PathHealth, dcvix.PathCA:
		return forNetwork | forControl
	case dcvix.PathAdminAgents, dcvix.PathAdminAgentsApprove, dcvix.PathAdminAgentApprove, dcvix.PathAdminAgentDeny,
		dcvix.PathAdminAgentRevoke, dcvix.PathAdminAgentReactivate, dcvix.PathAdminDenials, dcvix.PathAdminDenial:
		return forUsers | forControl
	}
	return forUsers
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
