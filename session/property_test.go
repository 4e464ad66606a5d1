package session_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// A fleetModel is what the register should say after a row of acts, kept in the
// plainest way there is.
type fleetModel struct {
	d      *director
	rng    *rand.Rand
	now    time.Time
	states map[dcvix.AgentID]dcvix.AgentState
	keys   map[dcvix.AgentID]session.KeyHash
	broken error // what the Store fails with at times
}

var (
	modelIDs   = []dcvix.AgentID{"a", "b", "c", "d", "e"}
	modelNames = []dcvix.Hostname{"ws1", "ws1.lab", "ws2", "ws2.lab", "cad", "director"}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

func TestNoOrderOfActsBreaksTheRegister(t *testing.T) {
	seeds, steps := []uint64{1, 2, 3, 4, 5, rand.Uint64()}, 400
	if os.Getenv("DCVIX_LONG") == "1" { //nolint:forbidigo // the long form is asked for from outside
		for range 100 {
			seeds = append(seeds, rand.Uint64())
		}
		steps = 2000
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			m := &fleetModel{
				rng: rand.New(rand.NewPCG(seed, 0)), now: start, broken: errors.New("disk full"),
				states: make(map[dcvix.AgentID]dcvix.AgentState), keys: make(map[dcvix.AgentID]session.KeyHash),
			}
			m.d = newDirector(t, m.config)
			for step := range steps {
				m.now = m.now.Add(time.Duration(m.rng.IntN(3600)) * time.Second)
				act := m.act(t)
				m.check(t, fmt.Sprintf("seed %d, step %d: %s", seed, step, act))
			}
		})
	}
}

func (m *fleetModel) config(c *session.Config) {
	c.Now = func() time.Time { return m.now }
	c.Reserved = func() []dcvix.Hostname { return []dcvix.Hostname{"director"} }
	c.PendingMax = 3
	c.Logger = slog.New(slog.DiscardHandler)
}

// act does one thing, with a Store that fails now and then, and carries over into
// the model what the broker said that it did.
func (m *fleetModel) act(t *testing.T) string {
	ctx, id := t.Context(), pick(m.rng, modelIDs)
	if m.rng.IntN(10) == 0 {
		m.d.store.FailWith(m.broken)
		defer m.d.store.FailWith(nil)
	}
	move := func(what string, err error, to dcvix.AgentState) string {
		if err == nil {
			m.states[id] = to
		}
		return fmt.Sprintf("%s %s: %v", what, id, err)
	}
	switch m.rng.IntN(11) {
	case 0, 1, 2:
		return m.register(t, id)
	case 9:
		key := session.KeyHash{byte(1 + m.rng.IntN(2))}
		err := m.d.Certified(ctx, id, key, strconv.FormatUint(m.rng.Uint64(), 16))
		if err == nil {
			require.Equal(t, dcvix.AgentRegistered, m.states[id], "a certificate for %s", id)
			require.Equal(t, m.keys[id], key, "a certificate for another key of %s", id)
		}
		return fmt.Sprintf("certify %s for key %d: %v", id, key[0], err)
	case 10:
		return fmt.Sprintf("forget the denial of %s: %v", id, m.d.ForgetDenial(ctx, id))
	case 3, 4:
		return m.approve(t, id)
	case 5:
		err := m.d.Deny(ctx, id)
		if err == nil {
			require.Equal(t, dcvix.AgentPending, m.states[id])
			delete(m.states, id)
			delete(m.keys, id)
		}
		return fmt.Sprintf("deny %s: %v", id, err)
	case 6:
		return move("revoke", m.d.Revoke(ctx, id), dcvix.AgentRevoked)
	case 7:
		return move("reactivate", m.d.Reactivate(ctx, id), dcvix.AgentRegistered)
	default:
		m.d.store.FailWith(nil)
		m.d.open(t, m.config)
		return "restart"
	}
}

func (m *fleetModel) register(t *testing.T, id dcvix.AgentID) string {
	r := asks(id, byte(1+m.rng.IntN(2)), pick(m.rng, modelNames))
	got, err := m.d.Register(t.Context(), r)
	if err == nil {
		require.Equal(t, dcvix.AgentRegistered, m.states[id], "a certificate for %s", id)
		require.Equal(t, m.keys[id], r.KeyHash, "a certificate for another key of %s", id)
		require.Equal(t, id, got.ID)
	}
	if errors.Is(err, session.ErrPending) && m.states[id] == "" {
		if stored, _ := m.d.store.Store.Agents(t.Context()); slices.ContainsFunc(stored, func(a session.Agent) bool { return a.ID == id }) {
			m.states[id], m.keys[id] = dcvix.AgentPending, r.KeyHash
		}
	}
	return fmt.Sprintf("register %s as %s with key %d: %v", id, r.Hostname, r.KeyHash[0], err)
}

func (m *fleetModel) approve(t *testing.T, id dcvix.AgentID) string {
	how := session.Approval{Replace: m.rng.IntN(2) == 0}
	for range m.rng.IntN(3) {
		how.Aliases = append(how.Aliases, pick(m.rng, modelNames))
	}
	err := m.d.Approve(t.Context(), id, how)
	if err != nil {
		return fmt.Sprintf("approve %s %+v: %v", id, how, err)
	}
	require.Contains(t, []dcvix.AgentState{dcvix.AgentPending, dcvix.AgentRegistered}, m.states[id])
	m.states[id] = dcvix.AgentRegistered
	names := m.names(m.d.entry(t, id))
	for _, a := range m.d.Agents("") {
		if a.ID != id && m.states[a.ID] == dcvix.AgentRegistered && slices.ContainsFunc(m.names(a.Agent), func(n dcvix.Hostname) bool { return slices.Contains(names, n) }) {
			require.True(t, how.Replace, "%s was replaced by %s", a.ID, id)
			m.states[a.ID] = dcvix.AgentRevoked
		}
	}
	return fmt.Sprintf("approve %s %+v", id, how)
}

func (*fleetModel) names(a session.Agent) []dcvix.Hostname {
	return append([]dcvix.Hostname{a.Hostname}, a.Aliases...)
}

// check holds the index, the Store, the model and the rights against each other.
func (m *fleetModel) check(t *testing.T, after string) {
	t.Helper()
	m.d.sameAsStore(t)
	held := make(map[dcvix.Hostname]dcvix.AgentID)
	states := make(map[dcvix.AgentID]dcvix.AgentState)
	for _, a := range m.d.Agents("") {
		states[a.ID] = a.State
		require.Equal(t, m.keys[a.ID], a.KeyHash, "%s: the key is pinned", after)
		if a.State != dcvix.AgentRegistered {
			continue
		}
		for _, n := range m.names(a.Agent) {
			require.Empty(t, held[n], "%s: %s has two holders", after, n)
			require.NotEqual(t, dcvix.Hostname("director"), n, after)
			held[n] = a.ID
		}
	}
	require.Equal(t, m.states, states, after)
	for _, id := range modelIDs {
		for key := byte(1); key <= 2; key++ {
			_, err := m.d.Authorize(id, session.KeyHash{key})
			right := m.states[id] == dcvix.AgentRegistered && m.keys[id] == session.KeyHash{key}
			require.Equal(t, right, err == nil, "%s: %s with key %d: %v", after, id, key, err)
		}
	}
}

// The same acts by many at once: no order is known, but what must never be is.
func TestActsOfManyAtOnceKeepIndexAndStoreTogether(t *testing.T) {
	d := newDirector(t, func(c *session.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 200 {
				d.randomAct(t.Context(), rng)
			}
		})
	}
	wg.Wait()
	d.sameAsStore(t)
	held := make(map[dcvix.Hostname]dcvix.AgentID)
	for _, a := range d.Agents(dcvix.AgentRegistered) {
		for _, n := range append([]dcvix.Hostname{a.Hostname}, a.Aliases...) {
			require.Empty(t, held[n], "%s has two holders", n)
			held[n] = a.ID
		}
	}
}

func (d *director) randomAct(ctx context.Context, rng *rand.Rand) {
	id := pick(rng, modelIDs)
	switch rng.IntN(6) {
	case 0, 1:
		_, _ = d.Register(ctx, asks(id, byte(1+rng.IntN(2)), pick(rng, modelNames)))
	case 2:
		_ = d.Approve(ctx, id, session.Approval{Replace: rng.IntN(2) == 0, Aliases: []dcvix.Hostname{pick(rng, modelNames)}})
	case 3:
		_ = d.Deny(ctx, id)
	case 4:
		_ = d.Revoke(ctx, id)
	case 5:
		_ = d.Reactivate(ctx, id)
	}
}
