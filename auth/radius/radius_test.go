package radius_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/radius"
)

func ExampleNew() {
	backend, err := radius.New(radius.Config{
		Servers: []string{"radius1.example", "radius2.example:11812"},
		Secret:  "eight words that nobody would guess",
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = backend.Authenticate(context.Background(), auth.Credentials{User: "alice"}) // an empty password is not even sent
	fmt.Println(err)
	// Output: user or password is wrong
}

func TestConfigsThatAreRefused(t *testing.T) {
	good := radius.Config{Servers: []string{"radius.example"}, Secret: secret}
	tests := map[string]struct {
		change func(*radius.Config)
		says   string
	}{
		"no server":            {func(c *radius.Config) { c.Servers = nil }, "radius_server"},
		"an empty server":      {func(c *radius.Config) { c.Servers = []string{""} }, "radius_server"},
		"a port that is none":  {func(c *radius.Config) { c.Servers = []string{"a:radius"} }, `"a:radius"`},
		"a port out of range":  {func(c *radius.Config) { c.Servers = []string{"a:65536"} }, `"a:65536"`},
		"a port without host":  {func(c *radius.Config) { c.Servers = []string{":1812"} }, `":1812"`},
		"a bad default port":   {func(c *radius.Config) { c.Port = -1 }, "radius_server"},
		"too many colons":      {func(c *radius.Config) { c.Servers = []string{"a:b:c"} }, `"a:b:c"`},
		"an empty secret":      {func(c *radius.Config) { c.Secret = "" }, "radius_secret"},
		"a negative time":      {func(c *radius.Config) { c.Timeout = -1 }, "negative"},
		"a long NAS name":      {func(c *radius.Config) { c.NASIdentifier = strings.Repeat("x", 254) }, "radius_nas_identifier"},
		"a negative bound":     {func(c *radius.Config) { c.MaxConcurrent = -1 }, "negative"},
		"an unending hostname": {func(c *radius.Config) { c.Servers = []string{strings.Repeat("x", 254)} }, "radius_server"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := good
			tt.change(&cfg)
			_, err := radius.New(cfg)
			require.ErrorContains(t, err, tt.says)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

func TestWhichAddressAServerHas(t *testing.T) {
	for server, want := range map[string]string{
		"10.0.0.1":           "10.0.0.1:1645",
		"10.0.0.1:1812":      "10.0.0.1:1812",
		"radius.example":     "radius.example:1645",
		"radius.example:99":  "radius.example:99",
		"2001:db8::1":        "[2001:db8::1]:1645",
		"[2001:db8::1]":      "[2001:db8::1]:1645",
		"[2001:db8::1]:1812": "[2001:db8::1]:1812",
	} {
		t.Run(server, func(t *testing.T) {
			var asked string
			b := open(t, radius.Config{Servers: []string{server}, Port: 1645, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
				asked = address
				return nil, net.ErrClosed
			}})
			_, err := b.Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.Equal(t, want, asked)
		})
	}
}

func TestASecretThatEverybodyKnowsIsWarnedAbout(t *testing.T) {
	for known, warned := range map[auth.Secret]bool{"secret": true, "testing123": true, "gBK7dLcMhjVv9T2e": false} {
		log := &logged{}
		_, err := radius.New(radius.Config{Servers: []string{"a"}, Secret: known, Logger: log.logger()})
		require.NoError(t, err)
		assert.Equal(t, warned, strings.Contains(log.String(), "radius_secret"))
		assert.NotContains(t, log.String(), "testing123")
	}
}

// TestARequestIsSignedFirstAndSaysWhoAsks reads what goes out.
func TestARequestIsSignedFirstAndSaysWhoAsks(t *testing.T) {
	requests := make(chan []byte, 1)
	address := serve(t, func(r []byte) [][]byte {
		requests <- r
		return always(reply{code: accept})(r)
	})
	b := open(t, radius.Config{Servers: []string{address}, NASIdentifier: "desk"})
	c := alice
	c.Password = auth.Secret(strings.Repeat("p", 127) + "q")

	_, err := b.Authenticate(t.Context(), c)

	require.NoError(t, err)
	request := <-requests
	assert.EqualValues(t, 1, request[0], "Access-Request")
	var kinds []byte
	for _, a := range attributesOf(request) {
		kinds = append(kinds, a.kind)
	}
	assert.Equal(t, []byte{signature, userName, userPassword, 6, 61, 32, 4}, kinds, "the Message-Authenticator comes first")
	sign := valueOf(request, signature)
	blank := bytes.Replace(request, []byte(sign), make([]byte, 16), 1)
	assert.Equal(t, hmacMD5(blank), []byte(sign))
	assert.Equal(t, "alice", valueOf(request, userName))
	assert.Equal(t, string(c.Password), passwordOf(request))
	assert.Equal(t, "\x00\x00\x00\x01", valueOf(request, 6), "Service-Type Login")
	assert.Equal(t, "\x00\x00\x00\x05", valueOf(request, 61), "NAS-Port-Type Virtual")
	assert.Equal(t, "desk", valueOf(request, 32))
	assert.Equal(t, "\x7f\x00\x00\x01", valueOf(request, 4), "NAS-IP-Address")
}

func TestWhatDoesNotFitIntoAPacketIsNotSent(t *testing.T) {
	var asked atomic.Int32
	address := serve(t, func(r []byte) [][]byte {
		asked.Add(1)
		return always(reply{code: accept})(r)
	})
	long := auth.Secret(strings.Repeat("p", 129))
	for name, c := range map[string]auth.Credentials{
		"a long password":   {User: "alice", Password: long},
		"a long code":       {User: "alice", Password: "wonder", OTP: long},
		"a NUL":             {User: "alice", Password: "wonder\x00"},
		"a NUL in the code": {User: "alice", Password: "wonder", OTP: "1\x00"},
		"a long user name":  {User: strings.Repeat("a", 254), Password: "wonder"},
		"an empty password": {User: "alice", OTP: "123456"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &logged{}
			b := open(t, radius.Config{Servers: []string{address}, Logger: log.logger()})
			_, err := b.Authenticate(t.Context(), c)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials)
			assert.Zero(t, asked.Load())
			assert.NotContains(t, log.String(), "ppp")
			assert.NotContains(t, log.String(), "wonder")
		})
	}
}

func TestWhatAnAcceptanceSaysOfAUser(t *testing.T) {
	var many []attribute
	for i := range 100 {
		many = append(many, attribute{filterID, fmt.Sprintf("group%d", i)})
	}
	var wantMany []string
	for i := range 64 {
		wantMany = append(wantMany, fmt.Sprintf("group%d", i))
	}
	tests := map[string]struct {
		attributes []attribute
		want       auth.Identity
		warned     bool
	}{
		"nothing":                {want: auth.Identity{User: "alice"}},
		"another name":           {attributes: []attribute{{userName, "Alice@EXAMPLE"}}, want: auth.Identity{User: "Alice@EXAMPLE"}},
		"a name that is none":    {attributes: []attribute{{userName, "root\n"}}, want: auth.Identity{User: "alice"}},
		"a name like an option":  {attributes: []attribute{{userName, "-f"}}, want: auth.Identity{User: "alice"}},
		"an empty name":          {attributes: []attribute{{userName, ""}}, want: auth.Identity{User: "alice"}},
		"two names":              {attributes: []attribute{{userName, "bob"}, {userName, "root"}}, want: auth.Identity{User: "alice"}},
		"groups, each once":      {attributes: []attribute{{filterID, "cad"}, {filterID, "gpu"}, {filterID, "cad"}}, want: auth.Identity{User: "alice", Groups: []string{"cad", "gpu"}}},
		"Class is the server's":  {attributes: []attribute{{class, "admins"}}, want: auth.Identity{User: "alice"}},
		"groups with bad names":  {attributes: []attribute{{filterID, "cad"}, {filterID, "a\nb"}, {filterID, "\xff"}, {filterID, ""}}, want: auth.Identity{User: "alice", Groups: []string{"cad"}}, warned: true},
		"more groups than bound": {attributes: many, want: auth.Identity{User: "alice", Groups: wantMany}, warned: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			log := &logged{}
			b := open(t, radius.Config{Servers: []string{serve(t, always(reply{code: accept, attributes: tt.attributes}))}, Logger: log.logger()})
			who, err := b.Authenticate(t.Context(), alice)
			require.NoError(t, err)
			assert.Equal(t, tt.want, who)
			assert.Equal(t, tt.warned, strings.Contains(log.String(), "groups of a radius server left out"), "%s", log)
		})
	}
}

// TestTriesAreOnePacketFromOnePort: otherwise a server would check a one-time
// password twice.
func TestTriesAreOnePacketFromOnePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries [][]byte
		dials := 0
		n := network{"radius:1812": func(request []byte) [][]byte {
			if tries = append(tries, request); len(tries) < 3 {
				return nil
			}
			return always(reply{code: accept})(request)
		}}
		b := open(t, radius.Config{Servers: []string{"radius"}, Timeout: 3 * time.Second, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return n.dial(ctx, network, address)
		}})
		start := time.Now()

		_, err := b.Authenticate(t.Context(), alice)

		require.NoError(t, err)
		require.Len(t, tries, 3)
		assert.Equal(t, tries[0], tries[1])
		assert.Equal(t, tries[0], tries[2])
		assert.Equal(t, 1, dials)
		assert.InDelta(t, 5.7, time.Since(start).Seconds(), 0.31, "two time-outs, each less up to a tenth")
	})
}

func TestRetriesAndTheDeadlineBoundALogin(t *testing.T) {
	tests := map[string]struct {
		cfg   radius.Config
		tries int32
		most  time.Duration
	}{
		"by default three tries of 3 s": {radius.Config{Servers: []string{"a"}, Timeout: 3 * time.Second}, 3, 9 * time.Second},
		"none":                          {radius.Config{Servers: []string{"a"}, Timeout: 3 * time.Second, Retries: -1}, 1, 3 * time.Second},
		"many servers":                  {radius.Config{Servers: []string{"a", "b", "c", "d", "e", "f"}, Timeout: 3 * time.Second}, 10, 25 * time.Second},
		"a patient try":                 {radius.Config{Servers: []string{"a"}, Timeout: time.Minute, Retries: -1}, 1, time.Minute},
		"a deadline":                    {radius.Config{Servers: []string{"a"}, Timeout: time.Minute, Deadline: time.Second}, 1, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int32
				n := network{}
				for _, s := range tt.cfg.Servers {
					n[s+":1812"] = func([]byte) [][]byte { tries.Add(1); return nil }
				}
				log := &logged{}
				tt.cfg.Dial, tt.cfg.Logger = n.dial, log.logger()
				start := time.Now()
				_, err := open(t, tt.cfg).Authenticate(t.Context(), alice)
				require.ErrorIs(t, err, auth.ErrUnavailable)
				assert.LessOrEqual(t, time.Since(start), tt.most)
				assert.GreaterOrEqual(t, time.Since(start), tt.most*9/10)
				assert.InDelta(t, tt.tries, tries.Load(), float64(len(tt.cfg.Servers)-1)/5, "six servers: a tenth less here and there is a try more")
				assert.Contains(t, log.String(), "server=a:1812")
			})
		})
	}
}

func TestADeadServerIsSkippedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan string, 10)
		dead := true
		n := network{
			"a:1812": func(request []byte) [][]byte {
				if asked <- "a"; dead {
					return nil
				}
				return always(reply{code: accept})(request)
			},
			"b:1812": func(request []byte) [][]byte {
				asked <- "b"
				return always(reply{code: accept})(request)
			},
		}
		log := &logged{}
		b := open(t, radius.Config{Servers: []string{"a", "b"}, Timeout: time.Second, Dial: n.dial, Logger: log.logger()})
		login := func() string {
			_, err := b.Authenticate(t.Context(), alice)
			require.NoError(t, err)
			synctest.Wait() // for the servers
			var order strings.Builder
			for range len(asked) {
				order.WriteString(<-asked)
			}
			return order.String()
		}

		assert.Equal(t, "aaab", login())
		assert.Equal(t, "b", login(), "skipped")
		time.Sleep(29 * time.Second)
		assert.Equal(t, "b", login(), "still skipped")
		time.Sleep(time.Second)
		assert.Equal(t, "aaab", login(), "asked again")
		assert.Equal(t, 1, strings.Count(log.String(), "radius server does not serve"), "said once: %s", log)
		dead = false
		time.Sleep(30 * time.Second)
		assert.Equal(t, "a", login())
		assert.Contains(t, log.String(), "radius server answers again")
		delete(n, "b:1812")
		dead = true
		_, err := b.Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		synctest.Wait()
		dead = false
		for range len(asked) {
			assert.Equal(t, "a", <-asked)
		}
		assert.Equal(t, "a", login(), "when all failed, all are asked")
	})
}

func TestTheCallersLeavingEndsALogin(t *testing.T) {
	arrived := make(chan struct{}, 1)
	address := serve(t, func([]byte) [][]byte { arrived <- struct{}{}; return nil })
	log := &logged{}
	b := open(t, radius.Config{Servers: []string{address, address}, Timeout: time.Hour, MaxConcurrent: 1, Logger: log.logger()})
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 2)
	for range 2 { // the second waits for its turn
		go func() {
			_, err := b.Authenticate(ctx, alice)
			errs <- err
		}()
	}
	<-arrived
	cancel()
	for range 2 {
		select {
		case err := <-errs:
			require.ErrorIs(t, err, auth.ErrUnavailable)
			require.ErrorIs(t, err, context.Canceled)
		case <-time.After(20 * time.Second):
			require.FailNow(t, "the login goes on")
		}
	}
	assert.Empty(t, log.String(), "a caller that leaves says nothing about the server")
}

// TestTheCallersLeavingEndsALoginAtOnce is the same in virtual time.
func TestTheCallersLeavingEndsALoginAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(1500*time.Millisecond, cancel)
		start := time.Now()
		_, err := open(t, radius.Config{Servers: []string{"a", "b"}, Timeout: time.Second, Dial: network{}.dial}).Authenticate(ctx, alice)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1500*time.Millisecond, time.Since(start))
	})
}

func TestAPortWhereNothingListensIsNotWaitedFor(t *testing.T) {
	log := &logged{}
	b := open(t, radius.Config{Servers: []string{fmt.Sprintf("127.0.0.1:%d", freePort(t))}, Timeout: time.Hour, Logger: log.logger()})
	for range 3 {
		_, err := b.Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrUnavailable)
	}
	assert.Equal(t, 1, strings.Count(log.String(), "it cannot be reached"), "%s", log)
	assert.Contains(t, log.String(), "connection refused")
}

func TestLoginsAtOnceAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		n := network{"a:1812": func(request []byte) [][]byte {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			return always(reply{code: accept})(request)
		}}
		b := open(t, radius.Config{Servers: []string{"a"}, MaxConcurrent: 5, Dial: n.dial})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := b.Authenticate(t.Context(), alice)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		assert.LessOrEqual(t, most.Load(), int32(5))
	})
}

func TestSecretsReachNoLog(t *testing.T) {
	log := &logged{}
	answers := []reply{
		{code: challenge, attributes: []attribute{{state, "s"}, {replyMessage, "code?"}}},
		{code: challenge, attributes: []attribute{{state, "s"}, {state, "t"}}},
		{code: reject},
		{code: accept, signing: absent},
		{code: accept, signing: wrongSecret},
	}
	for _, a := range answers {
		b := open(t, radius.Config{Servers: []string{serve(t, always(a))}, Timeout: 50 * time.Millisecond, Logger: log.logger()})
		_, err := b.Authenticate(t.Context(), auth.Credentials{User: "alice", Password: "wonder", OTP: "987654"})
		require.Error(t, err)
		for _, hidden := range []string{secret, "wonder", "987654"} {
			assert.NotContains(t, log.String(), hidden)
			assert.NotContains(t, err.Error(), hidden)
		}
		assert.NotContains(t, fmt.Sprintf("%+v", b), secret)
	}
}

func TestHealthWhenAServerIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const statusServer = 12
		mute := always(reply{code: accept})
		n := network{"a:1812": func(request []byte) [][]byte {
			if request[0] == statusServer {
				return nil
			}
			return mute(request)
		}}
		b := open(t, radius.Config{Servers: []string{"a"}, Timeout: time.Second, Dial: n.dial})
		require.NoError(t, b.CheckHealth(t.Context()), "many servers are mute")

		synctest.Wait()
		serving := n["a:1812"]
		delete(n, "a:1812")
		_, err := b.Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.ErrorIs(t, b.CheckHealth(t.Context()), auth.ErrUnavailable, "the last login failed")

		synctest.Wait()
		n["a:1812"] = serving
		_, err = b.Authenticate(t.Context(), alice)
		require.NoError(t, err)
		require.NoError(t, b.CheckHealth(t.Context()), "logins work again")

		synctest.Wait()
		n["a:1812"] = always(reply{code: accept, signing: absent})
		require.NoError(t, b.CheckHealth(t.Context()), "it is alive")
		_, err = b.Authenticate(t.Context(), alice)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.ErrorContains(t, b.CheckHealth(t.Context()), "no Message-Authenticator", "alive and of no use")

		synctest.Wait()
		delete(n, "a:1812")
		time.Sleep(time.Minute)
		require.ErrorIs(t, b.CheckHealth(t.Context()), auth.ErrUnavailable, "it has answered before")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, b.CheckHealth(ctx), context.Canceled)
	})
}
