package agentclient_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
)

// A failed list is an empty one to it.
type emptyWhenBlind struct{ agentclient.DCV }

func (e emptyWhenBlind) List(ctx context.Context) ([]dcvcli.Session, error) {
	list, _ := e.DCV.List(ctx) // as if there were none
	return list, nil
}

// Whatever it is to close, it closes the first session.
type closesTheFirst struct{ agentclient.DCV }

func (e closesTheFirst) Close(ctx context.Context, id string) error {
	if list, err := e.List(ctx); err == nil && len(list) > 0 {
		id = list[0].ID
	}
	return e.DCV.Close(ctx, id)
}

// It does not see its own sessions.
type createsBlindly struct{ agentclient.DCV }

func (e createsBlindly) List(ctx context.Context) ([]dcvcli.Session, error) {
	list, err := e.DCV.List(ctx)
	return slices.DeleteFunc(list, func(s dcvcli.Session) bool { return strings.HasPrefix(s.ID, "dcvix_") }), err
}

// No session has clients to it, and none ever had.
type seesNoClients struct{ agentclient.DCV }

func (e seesNoClients) List(ctx context.Context) ([]dcvcli.Session, error) {
	list, err := e.DCV.List(ctx)
	for i := range list {
		list[i].NumOfConnections, list[i].LastDisconnectionTime = 0, time.Time{}
	}
	return list, err
}

// TestTheHistoriesCatchADefectiveAgent puts defects between the engine and dcv.
func TestTheHistoriesCatchADefectiveAgent(t *testing.T) {
	for name, spoil := range map[string]func(agentclient.DCV) agentclient.DCV{
		"a failed list is an empty one":    func(d agentclient.DCV) agentclient.DCV { return emptyWhenBlind{d} },
		"a close ends the first session":   func(d agentclient.DCV) agentclient.DCV { return closesTheFirst{d} },
		"it sees no clients":               func(d agentclient.DCV) agentclient.DCV { return seesNoClients{d} },
		"it does not see its own sessions": func(d agentclient.DCV) agentclient.DCV { return createsBlindly{d} },
	} {
		t.Run(name, func(t *testing.T) {
			drawn := make(map[string]int)
			for seed := range uint64(60) {
				if wrong, _ := runHistory(t, seed, drawn, spoil); len(wrong) > 0 {
					t.Logf("history %d: %s", seed, wrong[0])
					return
				}
			}
			t.Error("no history saw it")
		})
	}
}
