package standalone

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dcvix/dcvix"
)

// A state says, whenever it is asked, how a director is. It keeps nothing: what it
// costs is paid by who asks.
type state struct {
	director *Server

	build, agents, hosts, problems, sessions, connections, certificates, policy *prometheus.Desc
}

func newState(s *Server) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("dcvix_"+name, help, labels, nil)
	}
	return &state{
		director:     s,
		build:        desc("build_info", "1, labelled with the version of the director.", "version"),
		agents:       desc("agents", "Agents in the register, by state: pending, registered or revoked.", "state"),
		hosts:        desc("hosts", "Hosts that have reported, by state: reporting, silent or maintenance.", "state"),
		problems:     desc("hosts_with_problems", "Hosts that report a problem of their own."),
		sessions:     desc("sessions", "DCV sessions on all hosts, by type: console or virtual.", "type"),
		connections:  desc("session_connections", "Connections of viewers to all sessions."),
		certificates: desc("certificate_not_after_timestamp_seconds", "When a certificate ends, by certificate: ca or server.", "certificate"),
		policy:       desc("policy_problems", "Entries of the policy that do not mean what they should."),
	}
}

var _ prometheus.Collector = (*state)(nil)

// Describe implements [prometheus.Collector].
func (s *state) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.build, s.agents, s.hosts, s.problems, s.sessions, s.connections, s.certificates, s.policy} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (s *state) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	broker := s.director.Broker()
	gauge(s.build, 1, dcvix.Version)
	agents := map[dcvix.AgentState]int{dcvix.AgentPending: 0, dcvix.AgentRegistered: 0, dcvix.AgentRevoked: 0}
	for _, a := range broker.Agents("") {
		agents[a.State]++
	}
	for name, n := range agents {
		gauge(s.agents, float64(n), string(name))
	}
	s.fleet(gauge)
	gauge(s.certificates, seconds(s.director.CA().Certificate().NotAfter), "ca")
	gauge(s.certificates, seconds(s.director.certs.Certificate().Leaf.NotAfter), "server")
	gauge(s.policy, float64(len(broker.PolicyProblems())))
}

// fleet says what hosts report.
func (s *state) fleet(gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	hosts := map[string]int{"reporting": 0, "silent": 0, "maintenance": 0}
	sessions := map[dcvix.SessionType]int{dcvix.SessionConsole: 0, dcvix.SessionVirtual: 0}
	problems, connections := 0, 0
	for _, h := range s.director.Broker().Hosts() {
		switch {
		case h.Silent:
			hosts["silent"]++
		case h.Flags.Maintenance:
			hosts["maintenance"]++
		default:
			hosts["reporting"]++
		}
		if len(h.Problems) > 0 {
			problems++
		}
		for _, x := range h.Sessions {
			if _, known := sessions[x.Type]; known { // a host says it: no other label
				sessions[x.Type]++
			}
			connections += x.NumOfConnections
		}
	}
	for name, n := range hosts {
		gauge(s.hosts, float64(n), name)
	}
	for name, n := range sessions {
		gauge(s.sessions, float64(n), string(name))
	}
	gauge(s.problems, float64(problems))
	gauge(s.connections, float64(connections))
}

func seconds(t time.Time) float64 { return float64(t.Unix()) }
