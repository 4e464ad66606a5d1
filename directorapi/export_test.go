package directorapi

// A RouteInfo is a row of the API as tests see it.
type RouteInfo struct{ Method, Path, Access string }

// Routes returns the table of routes.
func Routes() []RouteInfo {
	words := map[access]string{accessNone: "none", accessUser: "user", accessAdmin: "admin", accessAgent: "agent", accessDCV: "dcv"}
	var all []RouteInfo
	for _, r := range routes() {
		all = append(all, RouteInfo{r.method, r.path, words[r.access]})
	}
	return all
}

// CheckRoute tells whether a route of that access would be taken.
func CheckRoute(who int) error {
	return route{path: "/x", access: access(who), handler: (*Server).health}.check()
}

// AgentConnections returns how many open connections of agents are known.
func (s *Server) AgentConnections() int {
	s.conns.mu.Lock()
	defer s.conns.mu.Unlock()
	return len(s.conns.open)
}
