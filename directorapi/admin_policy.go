package directorapi

import (
	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// policyAccess says what the policy gives a user with groups, and why.
func (s *Server) policyAccess(c echo.Context) error {
	user := dcvix.Username(c.QueryParam("user"))
	if user.Validate() != nil {
		return malformed("Name a user: ?user=NAME, and their groups: &group=NAME.")
	}
	return ok(c, s.cfg.Broker.TraceAccess(user, c.QueryParams()["group"]))
}

// maxPolicyProblems bounds the mistakes in one answer: a file in which every name is
// wrong has as many as lines.
const maxPolicyProblems = 1000

func (s *Server) policy(c echo.Context) error {
	found := s.cfg.Broker.PolicyProblems()
	found = found[:min(len(found), maxPolicyProblems)]
	answer := dcvix.PolicyResponse{Problems: make([]dcvix.PolicyProblem, len(found))}
	for i, p := range found {
		answer.Problems[i] = dcvix.PolicyProblem{File: p.File, Line: p.Line, Entry: p.Entry, Problem: p.Text, Suggestion: p.Suggestion}
	}
	answer.Entries, answer.Pools = s.cfg.Broker.PolicyEntries()
	return s.list(c, answer)
}

// policyReach says who reaches a host or a pool.
func (s *Server) policyReach(c echo.Context) error {
	server, pool := c.QueryParam("server"), c.QueryParam("pool")
	if (server == "") == (pool == "") {
		return malformed("Name a host, ?server=NAME, or a pool, ?pool=ID.")
	}
	if pool != "" {
		reach, found := s.cfg.Broker.ReachPool(pool)
		if !found {
			return session.ErrNotFound
		}
		return s.list(c, reach)
	}
	name, err := dcvix.ParseHostname(server)
	if err != nil {
		return malformed("That is not a host name: use letters, digits, \"-\" and dots.")
	}
	return s.list(c, s.cfg.Broker.ReachServer(name))
}
