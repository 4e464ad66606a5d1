package standalone

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/session"
)

const (
	// lookEvery is how often the addresses of this machine are looked at.
	lookEvery = 30 * time.Second
	// looksAnHour is after how many of those looks its names are looked up, and the
	// certificate is looked at for its age.
	looksAnHour = int(time.Hour / lookEvery)
)

// openCertificates makes or loads the CA and the director's certificate. It
// returns the certificate that was replaced, or nil.
func (s *Server) openCertificates(ctx context.Context, opts Options) (replaced *x509.Certificate, err error) {
	if s.authority, err = ca.Open(s.dir, ca.Config{Now: opts.Now}); err != nil {
		return nil, err
	}
	s.names = newOwnNames(opts.Machine, opts.Names)
	s.names.lookUp(ctx, true)
	certPath, keyPath := filepath.Join(s.dir, ca.ServerCertFile), filepath.Join(s.dir, ca.ServerKeyFile)
	have, err := ca.ReadCertFile(certPath)
	switch {
	case err == nil:
		s.names.remember(have[0].DNSNames)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	wrote, err := s.authority.EnsureServer(s.dir, s.names.identity())
	if err != nil {
		return nil, err
	}
	if wrote && len(have) > 0 {
		replaced = have[0]
	}
	s.certs, err = ca.NewReloader(certPath, keyPath, s.logger)
	return replaced, err
}

// renew keeps the director's own certificate good, in age and in names.
func (s *Server) renew(ctx context.Context) error {
	s.warnOfReserved(ctx)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var failed error
	for look := 1; ; look++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		hour := look%looksAnHour == 0
		changed := s.names.lookUp(ctx, hour)
		if changed {
			s.warnOfReserved(ctx)
		}
		if !changed && !hour && failed == nil {
			continue
		}
		err := s.renewNow(ctx)
		if err != nil && (hour || failed == nil || err.Error() != failed.Error()) {
			s.logger.ErrorContext(ctx, "certificate of the director not renewed, it is tried again", slog.Any("err", err))
		}
		failed = err
	}
}

// renewNow signs and serves another certificate if there has to be one.
func (s *Server) renewNow(ctx context.Context) error {
	before := s.certs.Certificate().Leaf
	wrote, err := s.authority.EnsureServer(s.dir, s.names.identity())
	if err != nil || !wrote {
		return err
	}
	if err := s.certs.Reload(); err != nil {
		return err
	}
	s.renewed(ctx, before)
	return nil
}

// renewed says and puts on record that another certificate is served.
func (s *Server) renewed(ctx context.Context, before *x509.Certificate) {
	leaf := s.certs.Certificate().Leaf
	from, to := strings.Join(namesOf(before), " "), strings.Join(namesOf(leaf), " ")
	s.logger.InfoContext(ctx, "certificate of the director renewed", slog.String("old", from), slog.String("new", to),
		slog.Time("not_after", leaf.NotAfter))
	err := s.audit.Append(context.WithoutCancel(ctx), session.AuditRecord{
		Time: s.now(), Action: session.AuditServerRenewed, Outcome: session.AuditOK, Role: session.AuditDirector,
		Target: leaf.SerialNumber.Text(16), Old: from, New: to,
	})
	if err != nil {
		s.logger.ErrorContext(ctx, "act not put on record", slog.String("action", string(session.AuditServerRenewed)), slog.Any("err", err))
	}
}

func namesOf(cert *x509.Certificate) []string {
	return namesIn(ca.Identity{DNSNames: cert.DNSNames, IPs: cert.IPAddresses})
}

// reserved returns the names that no agent may have now: those of the director,
// and those of the certificate it shows, which an admin may have placed.
func (s *Server) reserved() []dcvix.Hostname {
	names := []dcvix.Hostname{dcvix.DirectorCommonName}
	for _, n := range slices.Concat(s.names.identity().DNSNames, s.certs.Certificate().Leaf.DNSNames) {
		if h, err := dcvix.ParseHostname(n); err == nil && !slices.Contains(names, h) {
			names = append(names, h)
		}
	}
	return names
}

// warnOfReserved names the agents that were let in under a name which has become
// the director's since.
func (s *Server) warnOfReserved(ctx context.Context) {
	for _, a := range s.broker.Agents(dcvix.AgentRegistered) {
		for _, name := range s.broker.ReservedNames(a.Agent) {
			s.logger.WarnContext(ctx, "agent has a name of the director and gets no new certificate: give its host another name, or revoke it",
				slog.String("guid", string(a.ID)), slog.String("name", string(name)))
		}
	}
}
