package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/memory"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// An agent asks to join, an admin approves it, its host reports, and a user gets
// a desktop there.
func Example() {
	ctx := context.Background()
	rules, err := session.ParseRules(session.PolicyFiles{Users: []byte(`[{"id": "alice", "workstations": ["ws1"]}]`)})
	if err != nil {
		log.Fatal(err)
	}
	broker, err := session.Open(ctx, session.Config{
		Store:  new(memory.Store),           // session/sqlite keeps what must survive
		Agents: new(sessiontest.FakeAgents), // session/agenthttp calls real ones
		Policy: session.FixedPolicy{All: rules},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}

	join := session.Registration{ID: sessiontest.NewAgentID(), KeyHash: session.KeyHash{1}, Hostname: "ws1.lab"}
	_, err = broker.Register(ctx, join)
	fmt.Println(errors.Is(err, session.ErrPending))
	if err := broker.Approve(ctx, join.ID, session.Approval{}); err != nil {
		log.Fatal(err)
	}

	alice := session.Actor{User: "alice"}
	opened, err := broker.Open(ctx, alice, session.OpenRequest{Owner: "alice", Server: "ws1", Type: dcvix.SessionVirtual})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(opened.Server, broker.Verify(ctx, "alice", opened.ID, "ws1"))
	_, err = broker.Open(ctx, alice, session.OpenRequest{Owner: "alice", Server: "ws2", Type: dcvix.SessionVirtual})
	fmt.Println(err)
	// Output:
	// true
	// ws1.lab true
	// host "ws2": not allowed
}

func ExampleParseRules() {
	rules, err := session.ParseRules(session.PolicyFiles{
		Users:  []byte(`[{"id": "alice", "workstations": ["ws1"], "pools": ["gpus"]}]`),
		Groups: []byte(`[{"id": "designers", "pools": ["cad"]}]`),
		Pools:  []byte(`[{"id": "cad", "workstations": ["ws7"]}, {"id": "gpu", "workstations": ["ws8"]}]`),
	})
	fmt.Println(rules.Access("alice", []string{"designers", "staff"}).Hosts, err)
	fmt.Println(rules.Problems[0])
	// Output:
	// [ws1 ws7] <nil>
	// users.json:1: user "alice" has the pool "gpus", which pools.json does not know. Did you mean "gpu"?
}
