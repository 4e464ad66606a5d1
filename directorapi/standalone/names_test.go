package standalone_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

// A machine is one whose names and addresses the test changes.
type machine struct {
	mu        sync.Mutex // guards the rest
	names     []string
	addresses []string
	fault     error // of both
	namesN    int   // how often it was asked
	addressN  int
}

func (m *machine) asked() standalone.Machine {
	return standalone.Machine{
		Names: func(context.Context) ([]string, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.namesN++
			if m.fault != nil {
				return nil, m.fault
			}
			return append([]string{"host"}, m.names...), nil
		},
		Addresses: func() ([]net.IP, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.addressN++
			var ips []net.IP
			for _, a := range m.addresses {
				ips = append(ips, net.ParseIP(a))
			}
			return ips, m.fault
		},
	}
}

// is changes what the machine says of itself.
func (m *machine) is(names, addresses []string, fault error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.names, m.addresses, m.fault = names, addresses, fault
}

// counts returns how often the machine was asked.
func (m *machine) counts() (names, addresses int) {
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.namesN, m.addressN
}

// A world is a director that runs on a machine, in virtual time.
type world struct {
	*standalone.Server
	t   *testing.T
	dir string
	machine
	log bytes.Buffer
	mu  sync.Mutex // guards log
}

func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// inWorld runs a test with a director on a machine that has one address. Before,
// if not nil, changes the folder and the options.
func inWorld(t *testing.T, before func(t *testing.T, w *world, opts *standalone.Options), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir()}
		w.is(nil, []string{"192.0.2.1"}, nil)
		opts := options(t)
		opts.Machine, opts.Logger = w.asked(), slog.New(slog.NewTextHandler(w, nil))
		if before != nil {
			before(t, w, &opts)
		}
		var err error
		w.Server, err = standalone.Open(t.Context(), w.dir, opts)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- w.Run(ctx) }()
		synctest.Wait()
		test(t, w)
		stop()
		require.NoError(t, <-ran)
		require.NoError(t, w.Close())
	})
}

// hasAfter waits and says whether the certificate that is served has the name.
func (w *world) hasAfter(wait time.Duration, name string) bool {
	w.t.Helper()
	time.Sleep(wait)
	synctest.Wait()
	cert := leaf(w.t, w.Server)
	_, err := cert.Verify(x509.VerifyOptions{Roots: w.CA().Pool(), DNSName: name})
	return err == nil
}

func TestANewAddressIsInTheCertificateWithinAMinute(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		before := leaf(t, w.Server)
		time.Sleep(10 * time.Minute)
		require.Equal(t, before.Raw, leaf(t, w.Server).Raw, "nothing changed")
		w.is(nil, []string{"192.0.2.1", "2001:db8::7"}, nil)

		assert.True(t, w.hasAfter(time.Minute, "2001:db8::7"))

		after := leaf(t, w.Server)
		assert.True(t, w.hasAfter(0, "192.0.2.1"))
		assert.Equal(t, before.PublicKey, after.PublicKey)
		const from, to = "host localhost 127.0.0.1 192.0.2.1 ::1", "host localhost 127.0.0.1 192.0.2.1 2001:db8::7 ::1"
		assert.Equal(t, 1, strings.Count(w.logged(), `msg="certificate of the director renewed" old="`+from+`" new="`+to+`"`), w.logged())
		got, err := w.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditServerRenewed})
		require.NoError(t, err)
		require.Len(t, got, 1, "the first certificate of all replaced none")
		assert.Equal(t, session.AuditRecord{
			Time: got[0].Time, Action: "ca.server-renewed", Outcome: session.AuditOK, Role: session.AuditDirector,
			Target: after.SerialNumber.Text(16), Old: from, New: to,
		}, got[0])
		stored, err := ca.ReadCertFile(filepath.Join(w.dir, ca.ServerCertFile))
		require.NoError(t, err)
		assert.Equal(t, after.Raw, stored[0].Raw)
	})
}

func TestANewNameIsInTheCertificateWithinAnHour(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		w.is([]string{"Director.Example."}, []string{"192.0.2.1"}, nil)
		assert.True(t, w.hasAfter(time.Hour+time.Second, "director.example"))
		w.is([]string{"new.example"}, []string{"192.0.2.2"}, nil)
		assert.True(t, w.hasAfter(31*time.Second, "new.example"), "at once when the addresses are others")
	})
}

func TestTheMachineIsAskedSeldom(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		time.Sleep(10*time.Hour + time.Second)
		names, addresses := w.counts()
		assert.Equal(t, 11, names, "at the start and every hour")
		assert.Equal(t, 1201, addresses, "at the start and every 30 s")
		w.is(nil, nil, errors.New("no answer"))
		time.Sleep(2 * time.Hour) // the first of them until it is noticed
		names, _ = w.counts()
		assert.Equal(t, 11+1+120, names, "at every look while there is no answer")
		w.is(nil, []string{"192.0.2.1"}, nil)
		time.Sleep(time.Hour - time.Minute)
		names, _ = w.counts()
		assert.Equal(t, 11+1+120+1, names, "and no longer")
	})
}

func TestANameThatIsGoneStaysForAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(machine)
		m.is([]string{"director.example"}, []string{"192.0.2.1", "192.0.2.9"}, nil)
		k := standalone.KeepNames(t.Context(), m.asked())
		hasAfter := func(wait time.Duration, name string) bool {
			time.Sleep(wait)
			k.Ask(t.Context())
			return k.Has(name)
		}
		m.is(nil, []string{"192.0.2.1"}, nil)
		assert.True(t, hasAfter(6*24*time.Hour, "director.example"))
		assert.True(t, hasAfter(0, "192.0.2.9"))
		m.is([]string{"director.example"}, []string{"192.0.2.1"}, nil)
		assert.True(t, hasAfter(time.Hour, "director.example"), "it came back")
		m.is(nil, []string{"192.0.2.1"}, nil)
		assert.True(t, hasAfter(6*24*time.Hour, "director.example"))
		assert.False(t, hasAfter(0, "192.0.2.9"), "it did not")
		assert.False(t, hasAfter(24*time.Hour, "director.example"))
		assert.True(t, hasAfter(0, "192.0.2.1"))
	})
}

func TestAMachineThatDoesNotAnswerLosesNoName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(machine)
		m.is([]string{"director.example"}, []string{"192.0.2.1"}, nil)
		k := standalone.KeepNames(t.Context(), m.asked())
		m.is(nil, nil, errors.New("no answer"))
		for range 3 {
			time.Sleep(30 * 24 * time.Hour)
			k.Ask(t.Context())
		}
		assert.True(t, k.Has("director.example"))
		assert.True(t, k.Has("192.0.2.1"))
	})
}

func TestANameThatIsGoneForAWhileStaysInTheCertificate(t *testing.T) {
	inWorld(t, func(_ *testing.T, w *world, _ *standalone.Options) {
		w.is([]string{"director.example"}, []string{"192.0.2.1", "192.0.2.9"}, nil)
	}, func(t *testing.T, w *world) {
		before := leaf(t, w.Server)
		w.is(nil, nil, nil)
		time.Sleep(3 * time.Hour)
		w.is(nil, nil, errors.New("no answer"))
		time.Sleep(3 * time.Hour)
		assert.Equal(t, before.Raw, leaf(t, w.Server).Raw)
	})
}

func TestANameOfBeforeTheStart(t *testing.T) {
	dir := t.TempDir()
	m := new(machine)
	opts := options(t)
	opts.Machine = m.asked()
	m.is([]string{"director.example"}, nil, nil)
	first := open(t, dir, opts)
	served := leaf(t, first)
	require.NoError(t, first.Close())

	m.is(nil, nil, errors.New("no answer"))
	second := open(t, dir, opts)
	assert.Equal(t, served.Raw, leaf(t, second).Raw, "it stays when the machine does not answer at the start")
	require.ErrorIs(t, second.Broker().Approve(t.Context(), pending(t, second, "director.example"), session.Approval{}), session.ErrNameReserved)
	require.NoError(t, second.Close())

	m.is(nil, nil, nil)
	third := open(t, dir, opts)
	assert.NotContains(t, leaf(t, third).DNSNames, "director.example", "and goes when it answers: a restart is how one lets go of a name")
	got, err := third.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditServerRenewed})
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Contains(t, got[0].Old, "director.example")
	assert.NotContains(t, got[0].New, "director.example")
}

// askFor asks for a certificate as an agent does.
func (w *world) askFor(id dcvix.AgentID, csr []byte, name string) *httptest.ResponseRecorder {
	w.t.Helper()
	body, err := json.Marshal(dcvix.RegisterRequest{CSR: csr, GUID: id, Hostname: name})
	require.NoError(w.t, err)
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, dcvix.PathAgentRegister, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.Agents().ServeHTTP(answer, r)
	return answer
}

func TestANameThatBecomesTheDirectorsIsNoAgentsAnyLonger(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		id := dcvix.AgentID(uuid.NewString())
		key, err := ca.OpenKey(filepath.Join(t.TempDir(), "agent.key"))
		require.NoError(t, err)
		csr, err := ca.NewCSR(key, ca.Identity{CommonName: dcvix.AgentCommonName + string(id)})
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, w.askFor(id, csr, "ws1").Code)
		require.NoError(t, w.Broker().Approve(t.Context(), id, session.Approval{}))
		require.Equal(t, http.StatusOK, w.askFor(id, csr, "ws1").Code)

		w.is([]string{"ws1"}, []string{"192.0.2.2"}, nil)
		time.Sleep(31 * time.Second)
		synctest.Wait()

		assert.Equal(t, 1, strings.Count(w.logged(), "level=WARN msg=\"agent has a name of the director and gets no new certificate"), w.logged())
		assert.Contains(t, w.logged(), "guid="+string(id)+" name=ws1")
		answer := w.askFor(id, csr, "ws1")
		assert.Equal(t, http.StatusConflict, answer.Code)
		assert.Contains(t, answer.Body.String(), "the director's own")
		got, err := w.Audit().Read(t.Context(), session.AuditQuery{Action: session.AuditAgentCertify, Target: string(id)})
		require.NoError(t, err)
		require.Len(t, got, 2)
		assert.Equal(t, session.AuditRefused, got[1].Outcome)
		other := pending(t, w.Server, "ws2")
		require.ErrorIs(t, w.Broker().Approve(t.Context(), other, session.Approval{Aliases: []dcvix.Hostname{"ws1"}}), session.ErrNameReserved)
	})
}

func TestAnAgentWithANameOfTheDirectorIsNamedAtTheStart(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world, opts *standalone.Options) {
		s, err := standalone.Open(t.Context(), w.dir, *opts)
		require.NoError(t, err)
		require.NoError(t, s.Broker().Approve(t.Context(), pending(t, s, "ws1"), session.Approval{Aliases: []dcvix.Hostname{"desk"}}))
		require.NoError(t, s.Close())
		opts.Names = []string{"desk"}
	}, func(t *testing.T, w *world) {
		assert.Equal(t, 1, strings.Count(w.logged(), "name=desk"), w.logged())
	})
}

func TestACertificateThatAnAdminPlacedStaysWhateverTheNames(t *testing.T) {
	files := make(map[string][]byte)
	inWorld(t, func(t *testing.T, w *world, _ *standalone.Options) {
		corp := t.TempDir()
		placeCA(t, corp, "Corp CA", 1)
		authority, err := ca.Open(corp, ca.Config{})
		require.NoError(t, err)
		_, err = authority.EnsureServer(corp, ca.Identity{CommonName: "portal", DNSNames: []string{"portal.corp", "*.corp"}})
		require.NoError(t, err)
		for _, name := range []string{ca.ServerKeyFile, ca.ServerCertFile} {
			files[name], err = os.ReadFile(filepath.Join(corp, name))
			require.NoError(t, err)
			require.NoError(t, ca.WriteKeyFile(filepath.Join(w.dir, name), files[name]))
		}
	}, func(t *testing.T, w *world) {
		w.is([]string{"director.example"}, []string{"192.0.2.2"}, nil)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(w.dir, name))
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got), name)
		}
		assert.NotContains(t, w.logged(), "renewed")
		for _, name := range []dcvix.Hostname{"portal.corp", "director.example"} {
			err := w.Broker().Approve(t.Context(), pending(t, w.Server, name), session.Approval{})
			assert.ErrorIs(t, err, session.ErrNameReserved, name)
		}
	})
}

func TestARenewalThatFailsIsTriedAgain(t *testing.T) {
	inWorld(t, nil, func(t *testing.T, w *world) {
		before := leaf(t, w.Server)
		whole := filepath.Join(w.dir, ca.ServerCertFile)
		chain, err := os.ReadFile(whole)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(whole, []byte("damaged"), 0o600))
		w.is(nil, []string{"192.0.2.2"}, nil)
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		assert.Equal(t, before.Raw, leaf(t, w.Server).Raw, "the one before stays")
		assert.Equal(t, 1, strings.Count(w.logged(), "certificate of the director not renewed"), "said once: %s", w.logged())
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 3, strings.Count(w.logged(), "certificate of the director not renewed"), "and every hour")

		require.NoError(t, os.WriteFile(whole, chain, 0o600))
		assert.True(t, w.hasAfter(31*time.Second, "192.0.2.2"))
		assert.Equal(t, sha256.Sum256(before.RawSubjectPublicKeyInfo), sha256.Sum256(leaf(t, w.Server).RawSubjectPublicKeyInfo))
	})
}

// placeCA places a CA of another name, as an admin does, that is good for days.
func placeCA(t *testing.T, dir, name string, days int) {
	t.Helper()
	key, err := ca.OpenKey(filepath.Join(dir, ca.KeyFile))
	require.NoError(t, err)
	now := time.Now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, days),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, ca.WriteFile(filepath.Join(dir, ca.CertFile), ca.EncodePEM(cert), 0o644))
}
