package directorcmd_test

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/cmd/internal/crashtest"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

// life returns every kind of act.
func (s *site) life() []step {
	a, b, c, d := newHost(s.t, "ws1"), newHost(s.t, "ws2"), newHost(s.t, "ws3"), newHost(s.t, "ws1")
	other := &host{id: a.id, key: newKey(s.t), name: "ws1"}
	steps := []step{s.login(dcvix.PathAdminLogin, "root", func(cookie string) { s.admin = cookie })}
	steps = append(steps, s.enrols(a)...)
	steps = append(steps, s.renews(a), step{"another key asks as ws1", session.AuditAgentConflict, func() error {
		return s.register(other, http.StatusUnauthorized)
	}})
	steps = append(steps, s.enrols(b)...)
	steps = append(steps,
		s.decides(session.AuditAgentRevoke, dcvix.PathAdminAgentRevoke, b, nil),
		s.decides(session.AuditAgentReactivate, dcvix.PathAdminAgentReactivate, b, nil),
		s.asks(c), s.decides(session.AuditAgentDeny, dcvix.PathAdminAgentDeny, c, nil),
		s.asks(d), s.decides(session.AuditAgentApprove, dcvix.PathAdminAgentApprove, d, dcvix.ApproveRequest{Replace: true}),
		s.login(dcvix.PathUserLogin, "alice", func(string) {}), s.logout("alice"), s.certified(d))
	deny := slices.IndexFunc(steps, func(st step) bool { return st.record == session.AuditAgentDeny })
	done := steps[deny].do
	steps[deny].do = func() error {
		err := done()
		if err == nil {
			s.now.denied = append(s.now.denied, c)
		}
		return err
	}
	return steps
}

// live lets a director see every kind of act: it starts for the first time, is
// killed, is started again and stopped, comes up with other names and is killed,
// and comes up with a record that was cut off.
func (s *site) live() {
	life := s.life()
	s.start(s.rec.Run)
	s.do(life[:len(life)-1]...)
	s.stop(syscall.SIGKILL)

	s.start(s.rec.Continue)
	s.do(life[len(life)-1])
	s.stop(syscall.SIGTERM)

	s.env = append(s.env, "DCVIX_DIRECTOR_SERVER_NAMES=other.example")
	s.start(s.rec.Continue)
	s.do(s.enrols(newHost(s.t, "ws4"))...)
	s.stop(syscall.SIGKILL)

	f, err := os.OpenFile(s.file(standalone.AuditFile), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(s.t, err)
	_, err = f.WriteString(cutOff)
	require.NoError(s.t, errors.Join(err, f.Close()))
	s.start(s.rec.Run)
	s.do(s.asks(newHost(s.t, "ws5")))
	s.stop(syscall.SIGTERM)
}

// cutOff is the beginning of a record that nobody was answered for.
const cutOff = `{"prev":"00`

func TestNoCrashOfTheDirectorLosesWhatItAnswered(t *testing.T) {
	s := newSite(t)
	s.live()
	s.crash(crashtest.Scratch(t), 0)
}

// crash goes along the recording, from that run on, and looks at every state that
// a crash may leave.
func (s *site) crash(dir string, run int) {
	checked := make(map[string]bool)
	states, moments := 0, 0
	for m := range s.rec.Moments() {
		if m.Run < run {
			continue
		}
		moments++
		before, after := s.around(m)
		for state := range m.Disk.States(m.Full || crashtest.Long()) {
			states++
			key := fmt.Sprintf("%x %d", state.Tree.Hash(), before)
			if checked[key] {
				continue
			}
			checked[key] = true
			at := filepath.Join(dir, strconv.Itoa(len(checked)))
			require.NoError(s.t, state.Tree.WriteTo(at))
			if err := s.check(s.t.Context(), at, s.history[:before], s.history[:after]); err != nil {
				s.t.Errorf("a crash after %s, when %q was the last act answered; %s: %v", m.Op, s.said(before), cmp.Or(state.How, "a kill"), err)
			}
			require.NoError(s.t, os.RemoveAll(at))
		}
		if s.t.Failed() {
			s.t.FailNow()
		}
	}
	s.t.Logf("%d operations, %d states of which %d differ", moments, states, len(checked))
}

// around returns how many acts were answered before a crash at that moment, and
// how many may have been done.
func (s *site) around(m crashtest.Moment) (answered, done int) {
	for answered < len(s.history) && s.history[answered].at.Before(m.Next) {
		answered++
	}
	for done = min(answered+1, len(s.history)); done < len(s.history) && s.history[done-1].act == started; {
		done++
	}
	return answered, done
}

func (s *site) said(n int) string {
	if n == 0 {
		return "nothing"
	}
	return s.history[n-1].act
}

// check opens a director on what a crash left and looks for what must be there.
// Answered and done are the acts that certainly, and at most, took place.
func (s *site) check(ctx context.Context, dir string, answered, done []known) error {
	data := filepath.Join(dir, "data")
	d, err := standalone.Open(ctx, data, standalone.Options{
		Authenticator: authtest.Static{}, PolicyDir: filepath.Join(dir, "policydb"), Pages: fstest.MapFS{"index.html": {}},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("the director does not come up: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := private(data); err != nil {
		return err
	}
	if len(answered) == 0 {
		return nil
	}
	a := answered[len(answered)-1]
	if got := ca.FingerprintOf(d.CA().Certificate()).String(); got != a.ca {
		return fmt.Errorf("the CA is %s and was %s", got, a.ca)
	}
	return errors.Join(s.compare(d, a, done[len(done)-1]), denials(ctx, d, a), certificates(d, a), logins(ctx, d, a, done[len(done)-1]),
		allOnRecord(ctx, d, filepath.Join(data, standalone.AuditFile), a))
}

// private returns an error when others can read what they must not.
func private(data string) error {
	return filepath.WalkDir(data, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		public := slices.Contains([]string{".pem", ".crt"}, path.Ext(strings.TrimSuffix(file, ".tmp")))
		if !public && info.Mode().Perm() != 0o600 {
			return fmt.Errorf("%s has the permissions %v", file, info.Mode().Perm())
		}
		return nil
	})
}

// compare compares the register with what was answered, or would have been next.
func (s *site) compare(d *standalone.Server, answered, next known) error {
	var got []entry
	for _, a := range d.Broker().Agents("") {
		got = append(got, entry{
			ID: a.ID, State: a.State, Hostname: a.Hostname, Requested: a.Requested, Fingerprint: ca.Fingerprint(a.KeyHash).String(),
			Serial: a.Serial, Aliases: joined(a.Aliases), Conflict: a.Conflict,
		})
	}
	was, will := answered.agents, next.agents
	if s.redone { // a certificate that was not answered has a number that nobody knows
		got, was, will = unsigned(got), unsigned(was), unsigned(will)
	}
	if !slices.Equal(got, was) && !slices.Equal(got, will) {
		return fmt.Errorf("the register is\n%v\nand was\n%v\nor going to be\n%v", got, was, will)
	}
	return nil
}

func denials(ctx context.Context, d *standalone.Server, answered known) error {
	for _, h := range answered.denied {
		key, err := ca.KeyFingerprint(h.key.Public())
		if err != nil {
			return err
		}
		_, err = d.Broker().Register(ctx, session.Registration{ID: h.id, KeyHash: session.KeyHash(key), Hostname: dcvix.Hostname(h.name), Address: "192.0.2.1"})
		if _, known := d.Broker().Agent(h.id); known || !errors.Is(err, session.ErrPending) {
			return fmt.Errorf("%s was denied and makes a new entry (%w)", h.name, err)
		}
	}
	return nil
}

// certificates looks whether who was given a certificate can use it.
func certificates(d *standalone.Server, answered known) error {
	for id, text := range answered.certs {
		chain, err := ca.ParseCerts([]byte(text))
		if err != nil {
			return err
		}
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: d.CA().Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			return fmt.Errorf("the certificate of %s: %w", chain[0].DNSNames, err)
		}
		key, err := ca.KeyFingerprint(chain[0].PublicKey)
		if err != nil {
			return err
		}
		a, _ := d.Broker().Agent(id)
		_, err = d.Broker().Authorize(id, session.KeyHash(key))
		if good := a.State == dcvix.AgentRegistered; good != (err == nil) {
			return fmt.Errorf("the agent %s is %s, and its certificate is met with: %w", chain[0].DNSNames, a.State, err)
		}
	}
	return nil
}

// logins looks whether those are logged in who must be, and those out.
func logins(ctx context.Context, d *standalone.Server, answered, next known) error {
	status := func(cookie string) int {
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, dcvix.PathUserServers, nil)
		req.AddCookie(&http.Cookie{Name: dcvix.CookieName, Value: cookie})
		w := httptest.NewRecorder()
		d.ServeHTTP(w, req)
		return w.Code
	}
	for _, cookie := range answered.logins {
		if got := status(cookie); got != http.StatusOK && !slices.Contains(next.logouts, cookie) {
			return fmt.Errorf("a login ended: status %d", got)
		}
	}
	for _, cookie := range answered.logouts {
		if got := status(cookie); got != http.StatusUnauthorized {
			return fmt.Errorf("a login that was ended is good again: status %d", got)
		}
	}
	return nil
}

// allOnRecord looks for every record that was there when the last act was answered.
func allOnRecord(ctx context.Context, d *standalone.Server, file string, answered known) error {
	if _, err := auditfile.Verify(file); err != nil {
		return err
	}
	got, err := d.Audit().Read(ctx, session.AuditQuery{})
	if err != nil {
		return err
	}
	got = slices.DeleteFunc(got, func(r session.AuditRecord) bool { return r.Action == session.AuditCut })
	for i, want := range answered.audit {
		if i >= len(got) || got[i] != want {
			return fmt.Errorf("of %d records there are %d, and number %d is not there or another: %v", len(answered.audit), len(got), i+1, want)
		}
	}
	return nil
}
