package agentclient

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/internal/durable"
)

// The files of an agent in its state folder.
const (
	GUIDFile = "agent.guid"
	KeyFile  = "agent.key"
	CertFile = "agent.crt"
	CAFile   = "ca.pem"
)

// identity is what does not change while an agent runs.
type identity struct {
	guid        dcvix.AgentID
	key         crypto.Signer
	fingerprint ca.Fingerprint // of the key
	csr         []byte         // DER
}

func (a *Agent) path(file string) string { return filepath.Join(a.cfg.StateDir, file) }

// open reads the state folder and makes what is missing.
func (a *Agent) open(ctx context.Context) error {
	if err := durable.MakeFolder(a.cfg.StateDir); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	key, err := a.openKey(ctx)
	if err != nil {
		return err
	}
	guid, err := a.openGUID(ctx)
	if err != nil {
		return err
	}
	fingerprint, err := ca.KeyFingerprint(key.Public())
	if err != nil {
		return fmt.Errorf("%s: %w", a.path(KeyFile), err)
	}
	a.identity = identity{guid: guid, key: key, fingerprint: fingerprint}
	if a.identity.csr, err = ca.NewCSR(key, a.wish()); err != nil {
		return err
	}
	if err := a.openCA(ctx); err != nil {
		return err
	}
	a.openCert(ctx)
	if err := a.record.load(); err != nil {
		a.cfg.Logger.WarnContext(ctx, "the record of sessions cannot be used, a new one is made", slog.Any("err", err))
	}
	a.set(func(s *Status) { s.GUID, s.Fingerprint = guid, fingerprint.String() })
	a.cfg.Logger.InfoContext(ctx, "agent identity opened", slog.String("guid", string(guid)),
		slog.String("key_fingerprint", fingerprint.String()), slog.String("hostname", string(a.hostname)))
	return nil
}

// wish is what the request asks for. Directors of the 0.1 generation take the
// names from it; ours takes those of its own record.
func (a *Agent) wish() ca.Identity {
	names := []string{a.hostname.FirstLabel(), string(a.hostname)}
	for _, n := range a.cfg.OtherNames {
		if h, err := dcvix.ParseHostname(n); err == nil {
			names = append(names, string(h))
		}
	}
	seen := make(map[string]bool, len(names))
	id := ca.Identity{CommonName: dcvix.AgentCommonName + string(a.identity.guid)}
	for _, n := range names {
		if !seen[n] {
			seen[n] = true
			id.DNSNames = append(id.DNSNames, n)
		}
	}
	return id
}

// openKey reads the key or makes one. The director pins the key to the GUID, so
// a new key comes with a new GUID; the old one goes first, for a process that is
// killed or loses its power in between.
func (a *Agent) openKey(ctx context.Context) (crypto.Signer, error) {
	path := a.path(KeyFile)
	key, err := ca.ReadKeyFile(path)
	if err == nil {
		return key, nil
	}
	damaged := !errors.Is(err, fs.ErrNotExist)
	if pathErr := (*fs.PathError)(nil); damaged && (errors.Is(err, ca.ErrInsecureKey) || errors.As(err, &pathErr)) {
		return nil, err
	}
	if err := durable.RemoveFile(a.path(GUIDFile)); err != nil {
		return nil, fmt.Errorf("forget the GUID of a lost key: %w", err)
	}
	if damaged {
		a.cfg.Logger.WarnContext(ctx, "the agent's key cannot be used and was put aside, a new key and GUID are made",
			slog.String("file", path+".bad"), slog.Any("err", err))
		if err := os.Rename(path, path+".bad"); err != nil {
			return nil, fmt.Errorf("put a damaged key aside: %w", err)
		}
	}
	return ca.OpenKey(path)
}

func (a *Agent) openGUID(ctx context.Context) (dcvix.AgentID, error) {
	path := a.path(GUIDFile)
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the GUID: %w", err)
	}
	guid := dcvix.AgentID(strings.ToLower(strings.TrimSpace(string(data))))
	if err == nil && guid.Validate() == nil {
		return guid, nil
	}
	if err == nil {
		a.cfg.Logger.WarnContext(ctx, "the agent's GUID cannot be read, a new one is made", slog.String("file", path))
	}
	made, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("make a GUID: %w", err)
	}
	return dcvix.AgentID(made.String()), ca.WriteFile(path, []byte(made.String()+"\n"), 0o644)
}

// openCA reads the CA to trust, if there is one. A file that holds none is an
// error: to go on would mean to trust whoever answers.
func (a *Agent) openCA(ctx context.Context) error {
	path := a.path(CAFile)
	chain, err := ca.ReadCertFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && a.pin != nil:
		a.cfg.Logger.WarnContext(ctx, "the file of the director's CA cannot be used, the configured fingerprint decides",
			slog.String("file", path), slog.Any("err", err))
		return nil
	case err != nil:
		return fmt.Errorf("%w: copy the director's CA there, or remove the file to trust the first director that answers", err)
	case a.pin != nil && ca.FingerprintOf(chain[0]) != *a.pin:
		a.cfg.Logger.WarnContext(ctx, "the file of the director's CA has another fingerprint than the configured one, which decides",
			slog.String("file", path), slog.String("file_fingerprint", ca.FingerprintOf(chain[0]).String()),
			slog.String("ca_fingerprint", a.pin.String()))
		return nil
	}
	a.trustCA(chain[0])
	return nil
}

// openCert reads the certificate. One that cannot be used is no error: the agent
// registers again.
func (a *Agent) openCert(ctx context.Context) {
	chain, err := ca.ReadCertFile(a.path(CertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	anchor := a.anchor.Load()
	if err == nil && anchor == nil {
		err = errors.New("there is no CA to check it with")
	}
	if err == nil {
		err = a.checkOwn(chain, anchor)
	}
	if err != nil {
		a.cfg.Logger.WarnContext(ctx, "the stored certificate cannot be used, registering again", slog.Any("err", err))
		return
	}
	a.use(chain)
}

// use makes a checked certificate the one of new connections.
func (a *Agent) use(chain []*x509.Certificate) {
	pair := &tls.Certificate{PrivateKey: a.identity.key, Leaf: chain[0]}
	for _, c := range chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	a.pair.Store(pair)
	a.set(func(s *Status) { s.NotAfter = chain[0].NotAfter })
	a.closeIdle()
}

// certified says whether there is a certificate that has not run out.
func (a *Agent) certified() bool {
	pair := a.pair.Load()
	return pair != nil && a.cfg.Now().Before(pair.Leaf.NotAfter)
}
