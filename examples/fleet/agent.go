package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
)

// A fault is how an agent misbehaves.
type fault int

const (
	none    fault = iota
	slow          // answers after a second or more
	hang          // never answers the director
	fails         // answers it with 500
	garbage       // answers it with what is no JSON, and every second report is none either
	silent        // reports once and never again
	faults
)

// usable says whether the director can get sessions there.
func (f fault) usable() bool { return f == none || f == slow }

// An agent is one host of the fleet as the director sees it.
type agent struct {
	fleet *fleet
	name  dcvix.Hostname
	guid  dcvix.AgentID
	fault fault
	host  host
	due   chan struct{} // has a value when a report is due for a change
	pair  tls.Certificate
	link  link

	csr []byte
}

func newAgent(f *fleet, i int, name dcvix.Hostname) (*agent, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return nil, err
	}
	a := &agent{fleet: f, name: name, guid: dcvix.AgentID(id.String()), fault: faultOf(i, f.opts.misbehave), due: make(chan struct{}, 1)}
	a.host.kind = dcvix.SessionVirtual
	if i%4 == 0 {
		a.host.kind = dcvix.SessionConsole
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a.pair.PrivateKey = key
	a.csr, err = ca.NewCSR(key, ca.Identity{CommonName: dcvix.AgentCommonName + id.String(), DNSNames: []string{string(name)}})
	return a, err
}

// faultOf spreads that share of agents evenly, each kind of fault in its turn.
func faultOf(i int, share percent) fault {
	before, after := int(float64(i)*float64(share)/100), int(float64(i+1)*float64(share)/100)
	if before == after {
		return none
	}
	return 1 + fault(before)%(faults-1)
}

// register asks for a certificate and says whether there is one already.
func (a *agent) register(ctx context.Context, client *http.Client) (bool, error) {
	body, err := json.Marshal(dcvix.RegisterRequest{
		CSR: a.csr, GUID: a.guid, Hostname: string(a.name), RegistrationToken: a.fleet.director.token, AgentPort: a.fleet.port,
	})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.fleet.director.url+dcvix.PathAgentRegister, bytes.NewReader(body)) //nolint:gosec // the URL is the operator's
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req) //nolint:gosec // as above
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	var answer struct {
		dcvix.RegisterResponse
		dcvix.PendingResponse
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK && answer.Error != dcvix.PendingApproval {
		return false, fmt.Errorf("the registration of %s is answered with %d: %.300q", a.name, resp.StatusCode, text)
	}
	if resp.StatusCode != http.StatusOK {
		return false, nil
	}
	chain, err := ca.ParseCerts([]byte(answer.Certificate))
	if err != nil {
		return false, fmt.Errorf("the certificate of %s: %w", a.name, err)
	}
	a.pair.Leaf, a.csr = chain[0], nil
	for _, c := range chain {
		a.pair.Certificate = append(a.pair.Certificate, c.Raw)
	}
	a.link = a.fleet.newLink(a.pair)
	return true, nil
}

// run reports until ctx is done: regularly, and when sessions change, as real
// agents do.
func (a *agent) run(ctx context.Context) {
	defer a.link.close()
	timer := time.NewTimer(spread(a.fleet.opts.interval)) // hosts do not report in step
	defer timer.Stop()
	for n := 0; ; n++ {
		select {
		case <-timer.C:
		case <-a.due:
			select {
			case <-time.After(spread(time.Second)): // changes that follow each other closely share a report
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		wait := a.fleet.opts.interval
		if !a.report(ctx, n) {
			wait = time.Second
		} else if a.fault == silent {
			return
		}
		timer.Reset(wait)
	}
}

// report reports once and says whether the director answered.
func (a *agent) report(ctx context.Context, n int) bool {
	sessions, changes := a.host.list()
	body, err := json.Marshal(a.update(sessions))
	if err != nil {
		panic(err) // an update has a form in JSON
	}
	want := http.StatusOK
	if a.fault == garbage && n%2 == 1 {
		body, want = []byte("<html>502 Bad Gateway</html>"), http.StatusBadRequest
	}
	status, err := a.link.post(ctx, dcvix.PathAgentUpdate, body)
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		a.fleet.tally.failed.Add(1)
		return false
	case status != want:
		a.fleet.wrong("a report of %s is answered with %d, not %d", a.name, status, want)
	case status == http.StatusOK:
		a.fleet.tally.accepted.Add(1)
		a.host.told(changes)
	default:
		a.fleet.tally.refused.Add(1)
	}
	return true
}

func (a *agent) update(sessions []dcvix.Session) dcvix.AgentUpdate {
	system := "linux"
	if a.host.kind == dcvix.SessionConsole {
		system = "windows"
	}
	load := share()
	return dcvix.AgentUpdate{
		Sessions: sessions,
		Stats: dcvix.Stats{
			Hostname: string(a.name), FreeMemory: uint64(64 << 30 * load), TotalMemory: 64 << 30, Cores: 16,
			CPUUsage: 100 * load, Load1: 16 * load, Load5: 12 * load, Load15: 8 * load,
		},
		Tags: []string{"fleet", system}, AgentPort: a.fleet.port, Version: dcvix.Version,
		UpdateIntervalSeconds: int(a.fleet.opts.interval / time.Second),
		GPUs:                  []dcvix.GPU{{Model: "NVIDIA L4", Driver: "550.90.07", Usage: 100 * load, UsedMemory: 4 << 30, TotalMemory: 24 << 30, Temperature: 48}},
	}
}

// changed makes a report due.
func (a *agent) changed() {
	select {
	case a.due <- struct{}{}:
	default: // it is due already
	}
}
