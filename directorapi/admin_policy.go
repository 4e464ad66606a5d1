package directorapi

import (
	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
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

func (s *Server) policyProblems(c echo.Context) error {
	found := s.cfg.Broker.PolicyProblems()
	found = found[:min(len(found), maxPolicyProblems)]
	answer := dcvix.PolicyResponse{Problems: make([]dcvix.PolicyProblem, len(found))}
	for i, p := range found {
		answer.Problems[i] = dcvix.PolicyProblem{File: p.File, Line: p.Line, Entry: p.Entry, Problem: p.Text, Suggestion: p.Suggestion}
	}
	return ok(c, answer)
}
