package ldap_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/ldap"
)

// A site is several servers in a bubble, some of which are down.
type site struct {
	servers map[string]*fake
	mu      sync.Mutex
	down    map[string]bool
	asked   []string // hosts that were dialled since the last call of who
}

func newSite(names ...string) *site {
	s := &site{servers: make(map[string]*fake), down: make(map[string]bool)}
	for _, n := range names {
		s.servers[n] = newFake()
	}
	return s
}

func (s *site) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, host)
	if s.down[host] {
		return nil, errors.New("connection refused")
	}
	return s.servers[host].pipe(ctx, network, address)
}

func (s *site) set(host string, down bool) {
	s.mu.Lock()
	s.down[host] = down
	s.mu.Unlock()
	if down {
		s.servers[host].hangUp()
	}
}

// who returns the hosts that were dialled since the last call, each once.
func (s *site) who() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return slices.Compact(asked)
}

func (s *site) open(t testing.TB, addresses ...string) *ldap.Backend {
	cfg := fakeConfig(t, addresses...)
	cfg.Dial = s.dial
	return open(t, cfg)
}

func login(t testing.TB, b *ldap.Backend) error {
	t.Helper()
	_, err := b.Authenticate(t.Context(), good)
	return err
}

func TestTheNextServerIsAskedAndTheDeadOneRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b", "c")
		s.set("a", true)
		b := s.open(t, "a", "b", "c")

		require.NoError(t, login(t, b))
		assert.Equal(t, []string{"a", "b"}, s.who(), "in the order of the list")

		require.NoError(t, login(t, b))
		assert.Equal(t, []string{"b"}, s.who(), "the last good one first")

		s.set("b", true)
		require.NoError(t, login(t, b))
		assert.Equal(t, []string{"b", "c"}, s.who(), "a still rests")

		s.set("a", false)
		s.set("c", true)
		time.Sleep(6 * time.Second)
		require.NoError(t, login(t, b))
		assert.Equal(t, []string{"c", "a"}, s.who(), "a has rested")
	})
}

func TestWhenAllRestAllAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b")
		s.set("a", true)
		s.set("b", true)
		b := s.open(t, "a", "b")
		require.ErrorIs(t, login(t, b), auth.ErrUnavailable)
		s.who()
		s.set("b", false)

		require.NoError(t, login(t, b), "a server that is back is not kept waiting")
		assert.Equal(t, []string{"a", "b"}, s.who())
	})
}

func TestAFaultThatAllServersShareIsNotTriedOnEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b")
		s.servers["a"].answer = at(opBind, false, &reply{code: 49})
		b := s.open(t, "a", "b")

		require.ErrorIs(t, login(t, b), auth.ErrUnavailable)

		assert.Equal(t, []string{"a"}, s.who(), "each try would count towards a lock of the service account")
	})
}

func TestARefusalIsNotTriedOnAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b")
		s.servers["a"].answer = at(opBind, true, &reply{code: 49})
		b := s.open(t, "a", "b")

		require.Equal(t, auth.ErrInvalidCredentials, login(t, b))

		assert.Equal(t, []string{"a"}, s.who())
	})
}

func TestALoginGoesOnWhenAServerDiesInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b")
		s.servers["a"].answer = at(opBind, true, &reply{close: true})
		b := s.open(t, "a", "b")

		require.NoError(t, login(t, b))

		assert.Equal(t, []string{"a", "b"}, s.who())
		assert.Contains(t, s.servers["b"].saw(), "bind cn=Alice,"+baseDN)
	})
}

func TestTheServicesConnectionIsKeptAndAPersonsIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a")
		f := s.servers["a"]
		b := s.open(t, "a")
		for range 5 {
			require.NoError(t, login(t, b))
		}
		synctest.Wait()

		assert.Equal(t, 6, f.connections(), "one of the service, one for each login")
		assert.Equal(t, 1, f.openConnections())
		saw := f.saw()
		assert.Equal(t, []string{"bind " + serviceDN, "search for 2 at most", "bind cn=Alice," + baseDN}, saw[:3])
		assert.Equal(t, 1, count(saw, "bind "+serviceDN))

		require.NoError(t, b.Close())
		synctest.Wait()
		assert.Zero(t, f.openConnections())
		require.NoError(t, login(t, b), "a closed backend works, and keeps nothing")
		synctest.Wait()
		assert.Zero(t, f.openConnections())
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

// Each connection tells which account it is bound as when a search arrives.
func TestNoSearchRunsOnAConnectionOfAPerson(t *testing.T) {
	f := newFake()
	var bad atomic.Int32
	f.answer = func(r request) *reply {
		if r.op == opSearch && r.bound != serviceDN {
			bad.Add(1)
		}
		return nil
	}
	b := open(t, fakeConfig(t, f.serve(t)))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { assert.NoError(t, login(t, b)) })
	}
	wg.Wait()

	assert.Zero(t, bad.Load())
	assert.LessOrEqual(t, count(f.saw(), "bind "+serviceDN), 50)
}

func TestFiftyLoginsAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a")
		f := s.servers["a"]
		var most atomic.Int64
		f.answer = func(r request) *reply {
			if r.isUser() {
				for n := int64(f.openConnections()); ; {
					old := most.Load()
					if n <= old || most.CompareAndSwap(old, n) {
						break
					}
				}
				time.Sleep(time.Second)
			}
			return nil
		}
		b := s.open(t, "a")
		start := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { assert.NoError(t, login(t, b)) })
		}
		wg.Wait()
		synctest.Wait()

		assert.Equal(t, 4*time.Second, time.Since(start), "sixteen at a time")
		assert.LessOrEqual(t, most.Load(), int64(2*16+4), "two for each login that runs, and those that are kept")
		assert.Equal(t, 4, f.openConnections(), "that many are kept")
	})
}

func TestAConnectionThatWasIdleForLongIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a")
		b := s.open(t, "a")
		require.NoError(t, login(t, b))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		assert.Zero(t, s.servers["a"].openConnections())
		require.NoError(t, login(t, b))
	})
}

func TestAConnectionGrowsNoOlderThanTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a")
		b := s.open(t, "a")
		for range 60 { // never idle for long
			require.NoError(t, login(t, b))
			time.Sleep(20 * time.Second)
		}
		assert.Equal(t, 2, count(s.servers["a"].saw(), "bind "+serviceDN))
	})
}

func TestAKeptConnectionThatDiedIsReplaced(t *testing.T) {
	tests := map[string]func(f *fake){
		"closed by the server": func(f *fake) { f.hangUp() },
		"closed at the next search": func(f *fake) {
			f.answer = func(r request) *reply {
				if r.op == opSearch && r.n > 2 {
					return &reply{close: true}
				}
				return nil
			}
		},
		"forgotten by a firewall": func(f *fake) {
			f.answer = func(r request) *reply {
				if r.op == opSearch && r.n > 2 {
					return &reply{hang: true}
				}
				return nil
			}
		},
		"no longer bound": func(f *fake) {
			f.answer = func(r request) *reply {
				if r.op == opSearch && r.n > 2 {
					return &reply{code: 1, text: "a successful bind must be completed"}
				}
				return nil
			}
		},
	}
	for name, kill := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite("a")
				b := s.open(t, "a")
				require.NoError(t, login(t, b))
				f := s.servers["a"]
				kill(f)

				require.NoError(t, login(t, b))

				assert.Equal(t, 2, count(f.saw(), "bind "+serviceDN))
			})
		})
	}
}

func TestHealthIsThatOfTheServersAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", "b")
		b := s.open(t, "a", "b")
		require.NoError(t, b.CheckHealth(t.Context()))
		s.set("a", true)
		require.NoError(t, b.CheckHealth(t.Context()), "one is enough")
		s.set("b", true)
		time.Sleep(time.Minute)
		err := b.CheckHealth(t.Context())
		assert.ErrorIs(t, err, auth.ErrUnavailable)
		assert.ErrorContains(t, err, "ldap://a cannot be reached")
		assert.ErrorContains(t, err, "ldap://b cannot be reached")
	})
}
