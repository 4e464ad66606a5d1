package directorapi_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth/token"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/sessiontest"
)

// A peer is a server in a process of its own, so that what it uses can be told from
// what its clients use: the director, or a bare net/http server that does the least
// that the director must do.
type peer struct {
	peerFacts

	in      io.Writer
	out     *json.Decoder
	clients []*http.Client // of its agents
	anybody *http.Client
}

// peerFacts is what a peer tells about itself.
type peerFacts struct {
	URL, CA string
	Names   []dcvix.Hostname // of the agents
	Pairs   []string         // of the agents: certificate and key, in PEM
	Session dcvix.SessionID  // one that can be entered
	Token   string           // for it
}

// The questions to a peer.
const (
	askCPU    = "cpu"    // how much time of processors it has used: a time.Duration
	askMemory = "memory" // how much is resident after what is not used was given back: kB
)

// peerVariable says which server a test binary is to be: bare or director, the
// number of hosts that it knows, and how many of them have agents that connect.
const peerVariable = "DCVIX_BENCH_PEER"

// A stage is where a benchmark has its peers.
type stage struct {
	benchmark string
	servers   unix.CPUSet // their processors; none means that they are where this process is
}

// apart returns a stage whose peers take turns on one processor, and keeps this process
// off it until the benchmark ends. Else what it costs to wake a processor, or to look
// for work on one, differs by half from one run to the next.
func apart(b *testing.B, benchmark string) *stage {
	b.Helper()
	var usual unix.CPUSet
	require.NoError(b, unix.SchedGetaffinity(os.Getpid(), &usual))
	on, clients, last := &stage{benchmark: benchmark}, usual, 0
	for cpu := range len(usual) * bits.UintSize {
		if usual.IsSet(cpu) {
			last = cpu
		}
	}
	on.servers.Set(last)
	if usual.Count() > 1 {
		clients.Clear(last)
	}
	bindThreads(b, &clients)
	b.Cleanup(func() { bindThreads(b, &usual) })
	return on
}

func bindThreads(b *testing.B, to *unix.CPUSet) {
	b.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(b, err)
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		require.NoError(b, err)
		_ = unix.SchedSetaffinity(id, to) // it may have ended
	}
}

// start starts a process on the servers' processors: it is where its parent's thread is.
func (s *stage) start(cmd *exec.Cmd) error {
	if s.servers.Count() == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var here unix.CPUSet
	if err := unix.SchedGetaffinity(0, &here); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, &s.servers); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &here))
}

// newPeer starts a peer. It runs this very benchmark in another process, which
// therefore begins with [servedAsPeer].
func (s *stage) newPeer(b *testing.B, kind string, hosts, agents int) *peer {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^"+s.benchmark+"$", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", peerVariable, kind, hosts, agents))
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	read, write, err := os.Pipe()
	require.NoError(b, err)
	cmd.ExtraFiles = []*os.File{write}
	require.NoError(b, s.start(cmd))
	require.NoError(b, write.Close())
	b.Cleanup(func() {
		_ = in.Close() // it ends then
		_ = cmd.Wait()
		_ = read.Close()
	})
	p := &peer{in: in, out: json.NewDecoder(bufio.NewReader(read))}
	require.NoError(b, p.out.Decode(&p.peerFacts))
	p.anybody = p.client(b)
	for _, pair := range p.Pairs {
		loaded, err := tls.X509KeyPair([]byte(pair), []byte(pair))
		require.NoError(b, err)
		p.clients = append(p.clients, p.client(b, loaded))
	}
	return p
}

func (p *peer) client(b *testing.B, pairs ...tls.Certificate) *http.Client {
	b.Helper()
	roots := x509.NewCertPool()
	require.True(b, roots.AppendCertsFromPEM([]byte(p.CA)))
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: pairs}}}
}

// ask returns the answer to a question.
func (p *peer) ask(b *testing.B, question string) (answer int64) {
	b.Helper()
	_, err := fmt.Fprintln(p.in, question)
	require.NoError(b, err)
	require.NoError(b, p.out.Decode(&answer))
	return answer
}

func (p *peer) cpu(b *testing.B) time.Duration { return time.Duration(p.ask(b, askCPU)) }

func (p *peer) post(b *testing.B, c *http.Client, path, kind string, body []byte) {
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, p.URL+path, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := c.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(text), `result="no"`) {
		b.Fatal(resp.StatusCode, string(text), err)
	}
	_ = resp.Body.Close()
}

// batch is how many requests both get before the other has its turn. It makes a run
// long enough for some collections of a large heap, which are part of the cost.
const batch = 2000

// compare sends the same to both in turn, over connections that are kept, and
// reports the CPU time of each and their ratio.
func compare(b *testing.B, bare, director *peer, send func(p *peer, i int)) {
	b.Helper()
	for _, p := range []*peer{bare, director} {
		for i := range batch / 4 { // connections are opened, and caches filled
			send(p, i)
		}
	}
	bareBefore, before := bare.cpu(b), director.cpu(b)
	for b.Loop() {
		for i := range batch {
			send(bare, i)
			send(director, i)
		}
	}
	base, cost := bare.cpu(b)-bareBefore, director.cpu(b)-before
	reportCPU(b, "bare-cpu-µs", base, batch*b.N)
	reportCPU(b, "cpu-µs", cost, batch*b.N)
	b.ReportMetric(float64(cost)/float64(base), "ratio")
}

// servedAsPeer is true in the process of a peer, when that has ended.
func servedAsPeer(b *testing.B) bool {
	b.Helper()
	var kind string
	var hosts, agents int
	if n, _ := fmt.Sscan(os.Getenv(peerVariable), &kind, &hosts, &agents); n != 3 { //nolint:forbidigo // newPeer sets it
		return false
	}
	facts := serveDirector
	if kind == "bare" {
		facts = serveBare
	}
	out := json.NewEncoder(os.NewFile(3, "answers"))
	require.NoError(b, out.Encode(facts(b, hosts, agents)))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		answer := int64(cpuTime(b))
		if lines.Text() == askMemory {
			answer = residentMemory(b)
		}
		require.NoError(b, out.Encode(answer))
	}
	return true
}

// residentMemory returns what this process holds, in kB, without what making all
// these keys left behind.
func residentMemory(b *testing.B) (rss int64) {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &rss) // other lines are passed over
	}
	return rss
}

func serveDirector(b *testing.B, hosts, agents int) peerFacts {
	b.Helper()
	s := silentDirector(b, withGateways(b))
	f := peerFacts{URL: s.URL, CA: string(s.CA.PEM())}
	for i := range agents {
		f.add(b, s.CA, i)
		pair, _ := pem.Decode([]byte(f.Pairs[i]))
		cert, err := x509.ParseCertificate(pair.Bytes)
		require.NoError(b, err)
		id := dcvix.AgentID(strings.TrimPrefix(cert.Subject.CommonName, dcvix.AgentCommonName))
		r := session.Registration{ID: id, Hostname: f.Names[i], KeyHash: sha256.Sum256(cert.RawSubjectPublicKeyInfo), Address: "127.0.0.1"}
		_, err = s.Broker.Register(b.Context(), r)
		require.ErrorIs(b, err, session.ErrPending)
		require.NoError(b, s.Broker.Approve(b.Context(), id, session.Approval{}))
	}
	known := fill(b, s, hosts-agents, 2)
	if len(known) > 0 {
		name := known[len(known)/2].Hostname
		for _, h := range s.Broker.Hosts() {
			if h.Name == name {
				f.enter(b, s.Tokens, h.Name, h.Sessions[0])
			}
		}
	}
	return f
}

// serveBare serves with net/http alone: an update is decoded and stored in a map,
// a token is opened, a session is resolved to what is known beforehand.
func serveBare(b *testing.B, _, agents int) peerFacts {
	b.Helper()
	authority := catest.New(b)
	tokens, err := token.New(token.Config{Keys: []token.Key{token.NewKey()}})
	require.NoError(b, err)
	var mu sync.Mutex
	stored := make(map[string]dcvix.AgentUpdate)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+dcvix.PathAgentUpdate, func(w http.ResponseWriter, r *http.Request) {
		var u dcvix.AgentUpdate
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		mu.Lock()
		stored[r.TLS.PeerCertificates[0].Subject.CommonName] = u
		mu.Unlock()
	})
	mux.HandleFunc("POST "+dcvix.PathAuthTokenVerify, func(w http.ResponseWriter, r *http.Request) {
		claims, err := tokens.Open(r.PostFormValue("authenticationToken"), token.Connection)
		if err == nil && claims.Session == dcvix.SessionID(r.PostFormValue("sessionId")) {
			_, _ = fmt.Fprintf(w, `<auth result="yes"><username>%s</username></auth>`, claims.User)
		}
	})
	mux.HandleFunc("POST "+dcvix.PathResolveSession, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(dcvix.ResolvedSession{
			SessionID: dcvix.SessionID(r.URL.Query().Get("sessionId")), TransportProtocol: r.URL.Query().Get("transport"), DCVServerEndpoint: "ws", Port: 8443, WebURLPath: "/",
		})
	})
	ln, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	pair := catest.Issue(b, authority, dcvix.DirectorCommonName, "localhost")
	server := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), TLSConfig: directorapi.TLSConfig(authority, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil })}
	go func() { _ = server.ServeTLS(ln, "", "") }() // ends with Close
	b.Cleanup(func() { _ = server.Close() })
	f := peerFacts{URL: "https://" + ln.Addr().String(), CA: string(authority.PEM())}
	for i := range agents {
		f.add(b, authority, i)
	}
	f.enter(b, tokens, "ws", dcvix.Session{ID: "dcvix_1d1f4e64-101a-4056-ae85-131068de8717", Owner: "alice"})
	return f
}

// add gives a peer an agent that connects.
func (f *peerFacts) add(b *testing.B, authority *ca.Authority, i int) {
	b.Helper()
	name := dcvix.Hostname(fmt.Sprintf("agent%05d.lab.example", i))
	pair := catest.Issue(b, authority, dcvix.AgentCommonName+string(sessiontest.NewAgentID()), string(name))
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(b, err)
	text := append(ca.EncodePEM(pair.Leaf), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	f.Names, f.Pairs = append(f.Names, name), append(f.Pairs, string(text))
}

func (f *peerFacts) enter(b *testing.B, tokens *token.Sealer, host dcvix.Hostname, s dcvix.Session) {
	b.Helper()
	sealed, _, err := tokens.Seal(token.Claims{User: s.Owner, Category: token.Connection, Session: s.ID, Server: host}, time.Hour)
	require.NoError(b, err)
	f.Session, f.Token = s.ID, sealed
}

// BenchmarkUpdate takes in the reports of agents over TLS connections that they
// keep, and compares that with a bare server.
func BenchmarkUpdate(b *testing.B) {
	if servedAsPeer(b) {
		return
	}
	const agents = 16
	on := apart(b, "BenchmarkUpdate")
	bare := on.newPeer(b, "bare", 0, agents)
	for _, hosts := range []int{100, 10_000} {
		director := on.newPeer(b, "director", hosts, agents)
		bodies := make([][]byte, agents)
		for i, name := range director.Names {
			bodies[i] = directorapitest.JSON(b, usualUpdate(name, 2))
		}
		b.Run(fmt.Sprintf("%d hosts", hosts), func(b *testing.B) {
			compare(b, bare, director, func(p *peer, i int) {
				p.post(b, p.clients[i%agents], dcvix.PathAgentUpdate, "application/json", bodies[i%agents])
			})
		})
	}
}

// BenchmarkAskedByDCV answers DCV servers and gateways over TLS, and compares that
// with a bare server.
func BenchmarkAskedByDCV(b *testing.B) {
	if servedAsPeer(b) {
		return
	}
	on := apart(b, "BenchmarkAskedByDCV")
	bare := on.newPeer(b, "bare", 0, 0)
	for _, hosts := range []int{100, 10_000} {
		director := on.newPeer(b, "director", hosts, 0)
		b.Run(fmt.Sprintf("verifier of %d hosts", hosts), func(b *testing.B) {
			compare(b, bare, director, func(p *peer, _ int) {
				form := url.Values{"sessionId": {string(p.Session)}, "authenticationToken": {p.Token}, "clientAddress": {"198.51.100.24:51877"}}
				p.post(b, p.anybody, dcvix.PathAuthTokenVerify, "application/x-www-form-urlencoded", []byte(form.Encode()))
			})
		})
		b.Run(fmt.Sprintf("resolver of %d hosts", hosts), func(b *testing.B) {
			compare(b, bare, director, func(p *peer, _ int) {
				p.post(b, p.anybody, dcvix.PathResolveSession+"?sessionId="+string(p.Session)+"&transport=HTTP&clientIpAddress=198.51.100.24", "application/x-www-form-urlencoded", nil)
			})
		})
	}
}

// BenchmarkConnections holds the connections of 2,000 agents that have reported
// once, and compares the memory with that of a bare server.
func BenchmarkConnections(b *testing.B) {
	if servedAsPeer(b) {
		return
	}
	for b.Loop() {
		bare := hold(b, "BenchmarkConnections", "bare", 0, 2000)
		director := hold(b, "BenchmarkConnections", "director", 2000, 2000)
		b.ReportMetric(bare, "bare-RSS-MB")
		b.ReportMetric(director, "RSS-MB")
		b.ReportMetric(director/bare, "ratio")
	}
}

// BenchmarkLargeFleet holds 10,000 hosts with 20,000 sessions and the connections of
// 1,000 agents.
func BenchmarkLargeFleet(b *testing.B) {
	if servedAsPeer(b) {
		return
	}
	for b.Loop() {
		b.ReportMetric(hold(b, "BenchmarkLargeFleet", "director", 10_000, 1000), "RSS-MB")
	}
}

// hold returns the resident memory of a peer to which all its agents are connected.
func hold(b *testing.B, benchmark, kind string, hosts, agents int) float64 {
	b.Helper()
	p := (&stage{benchmark: benchmark}).newPeer(b, kind, hosts, agents)
	for range 3 {
		for i, c := range p.clients {
			p.post(b, c, dcvix.PathAgentUpdate, "application/json", directorapitest.JSON(b, usualUpdate(p.Names[i], 2)))
		}
	}
	held := float64(p.ask(b, askMemory)) / 1e3
	for _, c := range p.clients {
		c.CloseIdleConnections()
	}
	return held
}
