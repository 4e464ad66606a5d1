package agenthttp

import "net"

// A linkedConn leaves the links when it is closed.
type linkedConn struct {
	net.Conn
	forget func()
}

// Close closes the connection, which is then nobody's to cut.
func (c *linkedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
