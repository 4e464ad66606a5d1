package dcvix

import (
	"net/url"
	"strings"
)

// Paths of the director. A part in braces is filled in by [Path].
const (
	PathHealth     = "/v1/health"
	PathCA         = "/v1/ca"
	PathAuthHealth = "/v1/auth-health"

	PathAgentRegister = "/v1/agent/register"
	PathAgentRenew    = "/v1/agent/renew"
	PathAgentUpdate   = "/v1/agent/update"

	PathUserLogin           = "/v1/user/login"
	PathAdminLogin          = "/v1/admin/login"
	PathLogout              = "/v1/logout"
	PathUserServers         = "/v1/user/servers"
	PathUserSessions        = "/v1/user/sessions"
	PathUserDesktops        = "/v1/user/desktops"
	PathUserConnectionToken = "/v1/user/connectiontoken"
	PathUserServerConfig    = "/v1/user/servers/{server}/config"
	PathAuthTokenVerify     = "/v1/user/authtokenverify" //nolint:gosec // a path, not a credential

	PathSessions             = "/v1/sessions"
	PathSession              = "/v1/sessions/{id}"
	PathServers              = "/v1/servers"
	PathServer               = "/v1/servers/{server}"
	PathEvents               = "/v1/events"
	PathAdminAgents          = "/v1/admin/agents"
	PathAdminAgentsApprove   = "/v1/admin/agents/approve"
	PathAdminAgentApprove    = "/v1/admin/agents/{guid}/approve"
	PathAdminAgentDeny       = "/v1/admin/agents/{guid}/deny"
	PathAdminAgentRevoke     = "/v1/admin/agents/{guid}/revoke"
	PathAdminAgentReactivate = "/v1/admin/agents/{guid}/reactivate"
	PathAdminDenials         = "/v1/admin/denials"
	PathAdminDenial          = "/v1/admin/denials/{guid}"
	PathAdminServerDrain     = "/v1/admin/servers/{server}/drain"
	PathAdminServerUndrain   = "/v1/admin/servers/{server}/undrain"
	PathAdminServerHistory   = "/v1/admin/servers/{server}/history"
	PathAdminOverview        = "/v1/admin/overview"
	PathAdminExplain         = "/v1/admin/explain"
	PathAdminAudit           = "/v1/admin/audit"
	PathAdminAuditExport     = "/v1/admin/audit/export"
	PathAdminPolicy          = "/v1/admin/policy"
	PathAdminPolicyAccess    = "/v1/admin/policy/access"
	PathAdminPolicyReach     = "/v1/admin/policy/reach"
)

// Paths of the agent, besides [PathHealth], [PathSessions] and [PathSession].
const (
	PathStats  = "/v1/stats"
	PathConfig = "/v1/config"
)

// Path fills the parts in braces of a path with args, in order and escaped.
func Path(pattern string, args ...string) string {
	for _, arg := range args {
		open, end := strings.IndexByte(pattern, '{'), strings.IndexByte(pattern, '}')
		if open < 0 || end < open {
			return pattern
		}
		pattern = pattern[:open] + url.PathEscape(arg) + pattern[end+1:]
	}
	return pattern
}
