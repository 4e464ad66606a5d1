package directorapi

import (
	"context"
	"net/http"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// approvalWorkers is how many approvals of one request run at once: those that
// come together share a synchronisation of the disk.
const approvalWorkers = 32

// approveAgents approves many agents as [Server.approveAgent] does one, but never
// in the place of another. Agents that ask for one name are taken in the order of
// the request.
func (s *Server) approveAgents(c echo.Context) error {
	req, err := readJSON[dcvix.ApproveManyRequest](c)
	if err != nil {
		return err
	}
	if len(req.GUIDs) == 0 || len(req.GUIDs) > dcvix.MaxApprovals {
		return malformed("The request names 1 to %d agents.", dcvix.MaxApprovals)
	}
	results := make([]dcvix.ApproveResult, len(req.GUIDs))
	work := make(chan []int)
	var wg sync.WaitGroup
	for range min(approvalWorkers, len(req.GUIDs)) {
		wg.Go(func() {
			for places := range work {
				for _, i := range places {
					results[i] = s.approveOne(c, req.GUIDs[i])
				}
			}
		})
	}
	for _, places := range s.byName(req.GUIDs) {
		work <- places
	}
	close(work)
	wg.Wait()
	return ok(c, dcvix.ApproveManyResponse{Results: results})
}

// byName returns the places of agents that would get one name together.
func (s *Server) byName(ids []dcvix.AgentID) map[string][]int {
	places := make(map[string][]int, len(ids))
	for i, id := range ids {
		name := string(id) // no host name, as it has no host
		if a, known := s.cfg.Broker.Agent(id); known {
			name = string(a.Hostname)
			if a.State == dcvix.AgentRegistered && a.Requested != "" {
				name = string(a.Requested)
			}
		}
		places[name] = append(places[name], i)
	}
	return places
}

// approveOne contains a panic, which in a goroutine of its own would end the
// director.
func (s *Server) approveOne(c echo.Context, id dcvix.AgentID) dcvix.ApproveResult {
	err := s.contained(c, func(c echo.Context) error {
		return s.actOn(c, id, session.AuditAgentApprove, func(ctx context.Context, id dcvix.AgentID) error {
			return s.cfg.Broker.Approve(ctx, id, session.Approval{})
		})
	})
	if err == nil {
		return dcvix.ApproveResult{GUID: id, Status: http.StatusOK}
	}
	f := faultOf(err)
	s.logError(c, f, err)
	return dcvix.ApproveResult{GUID: id, Status: f.status, Detail: f.detail}
}
