package directorapi

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	defaultConnections = 1024
	// networkBits is how much of an IPv6 address counts: whoever has one has all of
	// its network (RFC 6177).
	networkBits = 64
)

// ConnectionLimit says how many connections one address may have open.
type ConnectionLimit struct {
	PerAddress int              // of an IPv4 address or an IPv6 network of 64 bits; 0 means 1,024
	Exempt     []netip.Prefix   // proxies, behind which many people are
	Logger     *slog.Logger     // is told once a minute who has too many; nil means slog.Default()
	Now        func() time.Time // nil means time.Now
}

// LimitConnections returns a listener that closes the connections of an address
// beyond its limit. The connections over which a registered agent showed its
// certificate to a [Server], on an [HTTPServer], no longer count: a thousand hosts
// may share an address. It remembers addresses that have a connection open, and no
// others.
func LimitConnections(l net.Listener, limit ConnectionLimit) net.Listener {
	if limit.PerAddress == 0 {
		limit.PerAddress = defaultConnections
	}
	if limit.Logger == nil {
		limit.Logger = slog.Default()
	}
	if limit.Now == nil {
		limit.Now = time.Now
	}
	return &limitedListener{Listener: l, limit: limit, open: make(map[netip.Addr]int)}
}

type limitedListener struct {
	net.Listener

	limit ConnectionLimit

	mu      sync.Mutex
	open    map[netip.Addr]int
	refused int // since it was last said
	said    time.Time
}

// Accept implements [net.Listener].
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, ok := conn.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return conn, nil
		}
		address := peer.AddrPort().Addr().Unmap().WithZone("")
		if within(l.limit.Exempt, address) {
			return conn, nil
		}
		key := address
		if address.Is6() {
			key = netip.PrefixFrom(address, networkBits).Masked().Addr()
		}
		if l.take(key) {
			return &limitedConn{Conn: conn, free: sync.OnceFunc(func() { l.giveBack(key) })}, nil
		}
		_ = conn.Close() // whoever it was has others
		l.tell(address)
	}
}

func (l *limitedListener) take(key netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[key] >= l.limit.PerAddress {
		return false
	}
	l.open[key]++
	return true
}

func (l *limitedListener) giveBack(key netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[key]--; l.open[key] <= 0 {
		delete(l.open, key)
	}
}

func (l *limitedListener) tell(address netip.Addr) {
	l.mu.Lock()
	l.refused++
	now, refused := l.limit.Now(), l.refused
	due := l.said.IsZero() || now.Sub(l.said).Abs() >= time.Minute
	if due {
		l.said, l.refused = now, 0
	}
	l.mu.Unlock()
	if due {
		l.limit.Logger.WarnContext(context.Background(), "connections closed, because an address has too many: see max_connections_per_address",
			slog.String("address", address.String()), slog.Int("limit", l.limit.PerAddress), slog.Int("closed", refused))
	}
}

// A limitedConn counts for its address until it is closed or freed.
type limitedConn struct {
	net.Conn

	free func() // once or more
}

// Close implements [net.Conn].
func (c *limitedConn) Close() error {
	c.free()
	return c.Conn.Close()
}

// free has a connection no longer count for its address.
func (p *inbound) free() {
	if limited, ok := UnderTLS(p.conn).(*limitedConn); ok {
		limited.free()
	}
}

// UnderTLS returns the connection that a listener accepted, given what TLS made of
// it; without TLS that is the same.
func UnderTLS(conn net.Conn) net.Conn {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return secured.NetConn()
	}
	return conn
}
