package ca

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// reloadEvery is how often a Reloader looks at its files: changes are served
// within 30 s.
const reloadEvery = 10 * time.Second

// A Reloader serves a certificate and its key from two files, always the last
// pair that was good. It is safe for concurrent use.
type Reloader struct {
	certPath, keyPath string
	logger            *slog.Logger
	pair              atomic.Pointer[tls.Certificate]
	seen              atomic.Pointer[[2]stamp]
}

type stamp struct {
	modified time.Time
	size     int64
}

// NewReloader loads the pair. A nil logger means slog.Default().
func NewReloader(certPath, keyPath string, logger *slog.Logger) (*Reloader, error) {
	if logger == nil {
		logger = slog.Default()
	}
	r := &Reloader{certPath: certPath, keyPath: keyPath, logger: logger}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// Reload reads the files now. On an error the pair before stays in use.
func (r *Reloader) Reload() error {
	seen := r.stamps()
	if err := CheckKeyFile(r.keyPath); err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(r.certPath, r.keyPath)
	if err != nil {
		return fmt.Errorf("load %s and %s: %w", r.certPath, r.keyPath, err)
	}
	r.pair.Store(&pair)
	r.seen.Store(seen)
	return nil
}

// Run looks at the files every 10 seconds and reloads them when they changed,
// until ctx is done. It then returns nil. Files that were refused are tried at
// every look, since not every remedy changes them (chmod, a full disk), but logged
// once.
func (r *Reloader) Run(ctx context.Context) error {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	var refused [2]stamp
	var why string
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := r.stamps()
		if *now == *r.seen.Load() {
			continue
		}
		if err := r.Reload(); err != nil {
			if *now != refused || err.Error() != why {
				r.logger.ErrorContext(ctx, "certificate not reloaded, the one before stays", slog.Any("err", err))
			}
			refused, why = *now, err.Error()
			continue
		}
		r.logger.InfoContext(ctx, "certificate reloaded", slog.String("file", r.certPath),
			slog.Time("not_after", r.Certificate().Leaf.NotAfter))
	}
}

func (r *Reloader) stamps() *[2]stamp {
	return &[2]stamp{stampOf(os.Stat(r.certPath)), stampOf(os.Stat(r.keyPath))}
}

func stampOf(info fs.FileInfo, err error) stamp {
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// Certificate returns the pair in use, with its Leaf. The caller must not change it.
func (r *Reloader) Certificate() *tls.Certificate { return r.pair.Load() }

// GetCertificate is for [tls.Config.GetCertificate].
func (r *Reloader) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return r.pair.Load(), nil
}

// GetClientCertificate is for [tls.Config.GetClientCertificate].
func (r *Reloader) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return r.pair.Load(), nil
}
