package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A person logs in and opens, enters and closes sessions.
type person struct {
	fleet *fleet
	name  dcvix.Username
	hosts []*agent
	want  int // sessions to have at a time
	open  []opened

	client *client.Client
	http   *http.Client // of the DCV servers that ask about the person
}

// An opened is a session that the person has.
type opened struct {
	agent *agent
	id    dcvix.SessionID
	token string // that opened it; "" for one from before
}

// newPeople shares the hosts among people: one with a console is for one person
// alone, the others are for up to four.
func newPeople(f *fleet) []*person {
	people := make([]*person, f.opts.people)
	for i := range people {
		people[i] = &person{fleet: f, name: dcvix.Username(fmt.Sprintf("fleet-%04d", i))}
	}
	for i, a := range f.agents {
		if !a.fault.usable() && a.fault != silent {
			a.host.seed("somebody")
		}
		for next := range min(4, len(people)) {
			if p := people[(i+next)%len(people)]; next == 0 || a.host.kind == dcvix.SessionVirtual {
				p.hosts = append(p.hosts, a)
			}
		}
	}
	for i, p := range people {
		p.want = f.opts.sessions*(i+1)/len(people) - f.opts.sessions*i/len(people)
		p.settle()
	}
	return people
}

// settle gives the person sessions from before the director knew of anything.
func (p *person) settle() {
	for _, a := range p.hosts {
		switch {
		case a.fault == silent:
			a.host.seed(p.name)
		case len(p.open) < p.want && a.fault.usable():
			p.open = append(p.open, opened{agent: a, id: a.host.seed(p.name)})
		}
	}
	p.want = len(p.open)
}

// login logs the person in.
func (p *person) login(ctx context.Context) (err error) {
	if p.client, err = client.New(client.Config{URL: p.fleet.director.url, TLS: p.fleet.trust()}); err != nil {
		return err
	}
	p.http = &http.Client{Transport: &http.Transport{TLSClientConfig: p.fleet.trust(), ForceAttemptHTTP2: true}}
	if err := p.client.Login(ctx, dcvix.LoginRequest{UserID: string(p.name), Password: p.fleet.director.password}); err != nil {
		return fmt.Errorf("log in %s: %w", p.name, err)
	}
	return nil
}

// loginAll logs the people in, a few at a time.
func (f *fleet) loginAll(ctx context.Context, people []*person) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, p := range people {
		group.Go(func() error { return p.login(ctx) })
	}
	return group.Wait()
}

// live opens and closes sessions until ctx is done, so that each session lives as
// long as the options say.
func (p *person) live(ctx context.Context) {
	pause := p.fleet.opts.life / time.Duration(2*max(1, p.want))
	for sleep(ctx, pause/2+spread(pause)) == nil {
		switch {
		case len(p.open) < p.want:
			p.openOne(ctx)
		case len(p.open) > 0:
			p.leaveOne(ctx)
		}
	}
}

// timed counts a call of the person and how long it took, unless the host is slow
// itself.
func (p *person) timed(a *agent, call func() error) error {
	begin := time.Now()
	err := call()
	if a.fault == none && err == nil {
		p.fleet.took(time.Since(begin))
	}
	return err
}

// openOne opens a session on any host where the person has none, and enters it.
func (p *person) openOne(ctx context.Context) {
	a := p.hosts[pick(len(p.hosts))]
	if a.fault == silent || slices.ContainsFunc(p.open, func(o opened) bool { return o.agent == a }) ||
		a.fault == hang && pick(10) > 0 { // whoever tries that one waits for long
		return
	}
	var names []string
	err := p.timed(a, func() (err error) { names, err = p.client.Servers(ctx); return err })
	if err == nil && !slices.Contains(names, string(a.name)) && !slices.Contains(names, dcvix.AllowCustom) {
		p.fleet.wrong("%s is not among the servers of %s", a.name, p.name)
	}
	var got dcvix.CreateSessionResponse
	if err == nil {
		err = p.timed(a, func() (err error) {
			got, err = p.client.CreateSession(ctx, dcvix.CreateSessionRequest{ServerID: string(a.name), SessionType: string(a.host.kind)})
			return err
		})
	}
	if !a.fault.usable() {
		p.refused(ctx, a, err)
		return
	}
	if p.unexpected(ctx, "opens a session on", a, err) {
		return
	}
	o := opened{agent: a, id: got.SessionID}
	if got.Reused {
		p.fleet.wrong("%s gets session %s on %s, which ended before", p.name, o.id, a.name)
	}
	p.enter(ctx, &o)
	p.open = append(p.open, o)
}

// enter gets a token and shows it to the DCV server, which asks the director.
func (p *person) enter(ctx context.Context, o *opened) {
	var got dcvix.ConnectionTokenResponse
	err := p.timed(o.agent, func() (err error) {
		got, err = p.client.ConnectionToken(ctx, o.id, string(o.agent.name))
		return err
	})
	if p.unexpected(ctx, "enters its session on", o.agent, err) {
		return
	}
	o.token = got.Token
	p.verify(ctx, *o, o.id, true)
	p.verify(ctx, *o, "dcvix_of-somebody-else", false)
}

// verify asks the director what a DCV server asks.
func (p *person) verify(ctx context.Context, o opened, id dcvix.SessionID, want bool) {
	form := url.Values{"sessionId": {string(id)}, "authenticationToken": {o.token}, "clientAddress": {"127.0.0.1:40000"}}
	var text []byte
	err := p.timed(o.agent, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.fleet.director.url+dcvix.PathAuthTokenVerify, strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := p.http.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }() // it is read to its end
		text, err = io.ReadAll(resp.Body)
		return err
	})
	if p.unexpected(ctx, "has its token verified for", o.agent, err) {
		return
	}
	if got := strings.Contains(string(text), `result="yes"`) && strings.Contains(string(text), string(p.name)); got != want {
		p.fleet.wrong("whether %s may enter session %s on %s is answered with %t: %.200q", p.name, id, o.agent.name, got, text)
	}
}

// leaveOne ends the person's oldest session: mostly through the director, else by
// logging out of the desktop, which the director learns with a report.
func (p *person) leaveOne(ctx context.Context) {
	o := p.open[0]
	if o.token == "" {
		p.enter(ctx, &o)
	}
	if pick(4) == 0 {
		o.agent.host.end(o.id)
		o.agent.changed()
		for !o.agent.host.knows() {
			if sleep(ctx, 20*time.Millisecond) != nil {
				p.open = p.open[1:]
				return
			}
		}
	} else {
		err := p.timed(o.agent, func() error { return p.client.CloseSession(ctx, o.id, string(o.agent.name)) })
		if p.unexpected(ctx, "closes its session on", o.agent, err) {
			return
		}
	}
	p.open = p.open[1:]
	if o.token != "" {
		p.verify(ctx, o, o.id, false)
	}
}

// unexpected says whether a call went wrong, and notes it unless the people are
// being stopped.
func (p *person) unexpected(ctx context.Context, does string, a *agent, err error) bool {
	if err != nil && ctx.Err() == nil {
		p.fleet.wrong("%s %s %s: %v", p.name, does, a.name, err)
	}
	return err != nil
}

// refused notes a call of an agent that cannot do what it is asked and yet did.
func (p *person) refused(ctx context.Context, a *agent, err error) {
	var said *dcvix.Error
	if ctx.Err() == nil && !errors.As(err, &said) {
		p.fleet.wrong("%s opens a session on %s, which has none to give: %v", p.name, a.name, err)
	}
}
