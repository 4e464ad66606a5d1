package client

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/dcvix/dcvix"
)

// Sessions returns all sessions. It needs an admin.
func (c *Client) Sessions(ctx context.Context) ([]dcvix.Session, error) {
	var sessions []dcvix.Session
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathSessions, out: &sessions})
	return sessions, err
}

// Overview returns how things are and what needs a person. It needs an admin; a
// director of the 0.1 generation cannot tell.
func (c *Client) Overview(ctx context.Context) (dcvix.Overview, error) {
	var overview dcvix.Overview
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathAdminOverview, out: &overview, new: true})
	return overview, err
}

// AdminCreateSession starts a session for the user that req names. It needs an
// admin.
func (c *Client) AdminCreateSession(ctx context.Context, req dcvix.CreateSessionRequest) (dcvix.CreateSessionResponse, error) {
	return c.create(ctx, dcvix.PathSessions, req)
}

// Hosts returns the hosts that report, each with its sessions. It needs an
// admin.
func (c *Client) Hosts(ctx context.Context) ([]dcvix.Server, error) {
	var hosts []dcvix.Server
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathServers, out: &hosts})
	return hosts, err
}

// Agents returns the agents in the given state, or all when it is empty. It
// needs an admin.
func (c *Client) Agents(ctx context.Context, state dcvix.AgentState) ([]dcvix.Agent, error) {
	var agents []dcvix.Agent
	path := query(dcvix.PathAdminAgents, [2]string{"state", string(state)})
	_, err := c.do(ctx, call{method: http.MethodGet, path: path, out: &agents})
	return agents, err
}

// Approve lets a pending agent in, or accepts the name that a registered one
// wishes. It needs an admin. The error has code [dcvix.CodeConflict] when
// another agent holds the name.
func (c *Client) Approve(ctx context.Context, id dcvix.AgentID, req dcvix.ApproveRequest) error {
	return c.act(ctx, id, call{path: dcvix.Path(dcvix.PathAdminAgentApprove, string(id)), body: req})
}

// ApproveMany approves up to [dcvix.MaxApprovals] agents under the names they
// asked for, in the place of nobody, and returns what became of each in that order.
// It needs an admin. The error is of the call as a whole; a director of the 0.1
// generation cannot do it.
func (c *Client) ApproveMany(ctx context.Context, ids []dcvix.AgentID) ([]dcvix.ApproveResult, error) {
	var res dcvix.ApproveManyResponse
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: dcvix.PathAdminAgentsApprove, body: dcvix.ApproveManyRequest{GUIDs: ids}, out: &res, new: true,
	})
	return res.Results, err
}

// Denials returns the agents that were denied less than a day ago, the latest
// first. It needs an admin; a director of the 0.1 generation cannot tell.
func (c *Client) Denials(ctx context.Context) ([]dcvix.Denial, error) {
	var denials []dcvix.Denial
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathAdminDenials, out: &denials, new: true})
	return denials, err
}

// ForgetDenial lets an agent that was denied ask again. It needs an admin; a
// director of the 0.1 generation cannot do it. The error has code
// [dcvix.CodeNotFound] when that agent was not denied lately.
func (c *Client) ForgetDenial(ctx context.Context, id dcvix.AgentID) error {
	if err := checkSegment(string(id)); err != nil {
		return err
	}
	_, err := c.do(ctx, call{method: http.MethodDelete, path: dcvix.Path(dcvix.PathAdminDenial, string(id)), new: true})
	return err
}

// PolicyAccess returns what the policy gives a user whose login brings these groups,
// where each part of it comes from, and which registered agents the hosts are. It
// needs an admin; a director of the 0.1 generation cannot tell.
func (c *Client) PolicyAccess(ctx context.Context, user dcvix.Username, groups []string) (dcvix.PolicyAccess, error) {
	pairs := [][2]string{{"user", string(user)}}
	for _, g := range groups {
		pairs = append(pairs, [2]string{"group", g})
	}
	var access dcvix.PolicyAccess
	_, err := c.do(ctx, call{method: http.MethodGet, path: query(dcvix.PathAdminPolicyAccess, pairs...), out: &access, new: true})
	return access, err
}

// Deny forgets a pending agent. It needs an admin.
func (c *Client) Deny(ctx context.Context, id dcvix.AgentID) error {
	return c.act(ctx, id, call{path: dcvix.Path(dcvix.PathAdminAgentDeny, string(id))})
}

// Revoke shuts a registered agent out. It needs an admin.
func (c *Client) Revoke(ctx context.Context, id dcvix.AgentID) error {
	return c.act(ctx, id, call{path: dcvix.Path(dcvix.PathAdminAgentRevoke, string(id))})
}

// Reactivate lets a revoked agent in again. It needs an admin; a director of the
// 0.1 generation cannot do it.
func (c *Client) Reactivate(ctx context.Context, id dcvix.AgentID) error {
	return c.act(ctx, id, call{path: dcvix.Path(dcvix.PathAdminAgentReactivate, string(id)), new: true})
}

func (c *Client) act(ctx context.Context, id dcvix.AgentID, call call) error {
	if err := checkSegment(string(id)); err != nil {
		return err
	}
	call.method = http.MethodPost
	_, err := c.do(ctx, call)
	return err
}

// Server returns all that is known of one host, by a name of it. It needs an admin;
// a director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when no registered agent has the name.
func (c *Client) Server(ctx context.Context, host string) (dcvix.ServerDetail, error) {
	var detail dcvix.ServerDetail
	if err := checkSegment(host); err != nil {
		return detail, err
	}
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.Path(dcvix.PathServer, host), out: &detail, new: true, things: true})
	return detail, err
}

// History returns the last hour of a host, by a name of it. It needs an admin; a
// director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when no registered agent has the name.
func (c *Client) History(ctx context.Context, host string) (dcvix.HostHistory, error) {
	var history dcvix.HostHistory
	if err := checkSegment(host); err != nil {
		return history, err
	}
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.Path(dcvix.PathAdminServerHistory, host), out: &history, new: true, things: true})
	return history, err
}

// Drain keeps new sessions from a host. People see the message, one line of up to
// 300 characters. It needs an admin; a director of the 0.1 generation cannot do it.
func (c *Client) Drain(ctx context.Context, host, message string) error {
	return c.onHost(ctx, host, call{path: dcvix.Path(dcvix.PathAdminServerDrain, host), body: dcvix.DrainRequest{Message: message}})
}

// Undrain lets a host have new sessions again. It needs an admin; a director of the
// 0.1 generation cannot do it.
func (c *Client) Undrain(ctx context.Context, host string) error {
	return c.onHost(ctx, host, call{path: dcvix.Path(dcvix.PathAdminServerUndrain, host)})
}

func (c *Client) onHost(ctx context.Context, host string, call call) error {
	if err := checkSegment(host); err != nil {
		return err
	}
	call.method, call.new = http.MethodPost, true
	_, err := c.do(ctx, call)
	return err
}

// Explain says which host somebody would get, and why not the others. It needs an
// admin; a director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when the policy does not give the user the pool.
func (c *Client) Explain(ctx context.Context, req dcvix.ExplainRequest) (dcvix.Explanation, error) {
	var e dcvix.Explanation
	_, err := c.do(ctx, call{method: http.MethodPost, path: dcvix.PathAdminExplain, body: req, out: &e, new: true})
	return e, err
}

// Audit returns a page of the audit, the newest records first. It needs an admin; a
// director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when no audit is kept.
func (c *Client) Audit(ctx context.Context, q dcvix.AuditQuery) (dcvix.AuditResponse, error) {
	var page dcvix.AuditResponse
	limit := ""
	if q.Limit != 0 {
		limit = strconv.Itoa(q.Limit)
	}
	path := auditPath(dcvix.PathAdminAudit, q, [2]string{"limit", limit})
	_, err := c.do(ctx, call{method: http.MethodGet, path: path, out: &page, new: true, things: true})
	return page, err
}

// ExportAudit writes all records of the audit that q asks for, whatever its limit,
// the oldest first. It takes as long as the audit is: ctx is its only limit of time.
// It needs an admin; a director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when no audit is kept. With any other error what was written
// is a part.
func (c *Client) ExportAudit(ctx context.Context, q dcvix.AuditQuery, format dcvix.AuditFormat, into io.Writer) error {
	export := call{method: http.MethodGet, path: auditPath(dcvix.PathAdminAuditExport, q, [2]string{"format", string(format)}), new: true, things: true}
	req, err := c.request(ctx, export)
	if err != nil {
		return err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.transportError(ctx, err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK || isHTML(res.Header, nil) {
		body, _ := io.ReadAll(io.LimitReader(res.Body, c.most))
		if err := c.check(export, res, body); err != nil {
			return err
		}
		return c.notDirector("its answer cannot be read")
	}
	if _, err := io.Copy(into, res.Body); err != nil {
		return c.transportError(ctx, err)
	}
	return nil
}

func auditPath(path string, q dcvix.AuditQuery, more [2]string) string {
	return query(path, [2]string{"before", moment(q.Before)}, [2]string{"since", moment(q.Since)}, [2]string{"actor", q.Actor},
		[2]string{"action", q.Action}, [2]string{"outcome", q.Outcome}, [2]string{"target", q.Target}, [2]string{"text", q.Text}, more)
}

func moment(t dcvix.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Policy returns the policy, and what is wrong with it: up to 1,000 mistakes. It
// needs an admin; a director of the 0.1 generation cannot tell.
func (c *Client) Policy(ctx context.Context) (dcvix.PolicyResponse, error) {
	var policy dcvix.PolicyResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: dcvix.PathAdminPolicy, out: &policy, new: true})
	return policy, err
}

// WhoReachesServer returns whom the policy gives a host, by a name of it, and
// through which line. It needs an admin; a director of the 0.1 generation cannot
// tell.
func (c *Client) WhoReachesServer(ctx context.Context, host string) (dcvix.PolicyReach, error) {
	return c.reach(ctx, [2]string{"server", host})
}

// WhoReachesPool returns whom the policy gives a pool, and through which line. It
// needs an admin; a director of the 0.1 generation cannot tell. The error has code
// [dcvix.CodeNotFound] when there is no such pool.
func (c *Client) WhoReachesPool(ctx context.Context, id string) (dcvix.PolicyReach, error) {
	return c.reach(ctx, [2]string{"pool", id})
}

func (c *Client) reach(ctx context.Context, what [2]string) (dcvix.PolicyReach, error) {
	var reach dcvix.PolicyReach
	_, err := c.do(ctx, call{method: http.MethodGet, path: query(dcvix.PathAdminPolicyReach, what), out: &reach, new: true, things: true})
	return reach, err
}
