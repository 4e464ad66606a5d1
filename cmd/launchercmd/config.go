package launchercmd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/cmd/internal/logging"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
	"github.com/dcvix/dcvix/directorapi/client"
)

// settings are the values of dcvix-launcher.conf.
type settings struct {
	broker, user, command string
	otp, acceptUntrusted  bool
	anyHost               bool
	language              string
	caFile, caFingerprint string
	log                   logging.Config
	path                  string // of the file; empty when there is none
	set                   *inifile.Set
	wroteDefault          bool
	brokerKey, fileKey    *inifile.Key
	fingerprintKey        *inifile.Key
}

func declare(s *settings) {
	s.set = inifile.New("dcvix-launcher")
	sec := s.set.Section("dcvix-launcher")
	s.brokerKey = sec.String(&s.broker, "broker", "", "URL of the director, such as https://director.example:8445; empty means that the window asks for it")
	sec.String(&s.user, "user_id", "", "user name to log in with")
	sec.Bool(&s.otp, "otp", false, "ask for a one-time password, also when the director does not say that it wants one")
	sec.Program(&s.command, "command", defaultCommand, "the DCV viewer: a name or a path")
	sec.Bool(&s.acceptUntrusted, "accept-untrusted-cert", false, "do not check who the director is; passwords can then be read on the way")
	s.fileKey = sec.Path(&s.caFile, "ca-file", "", "PEM file of the CA that signed the director's certificate; empty means the system's")
	s.fingerprintKey = sec.String(&s.caFingerprint, "ca-fingerprint", "", "SHA-256 of that CA's certificate, instead of ca-file").Check(func(v string) error {
		if v == "" {
			return nil
		}
		return client.CheckFingerprint(v)
	})
	sec.Bool(&s.anyHost, "allow-custom-server", false, "let people name another host also when the director is too old to say whether they may")
	sec.String(&s.language, "language", "", "de or en; empty means the system's").Check(func(v string) error {
		if v == "" || slices.Contains(words.Languages(), v) {
			return nil
		}
		return fmt.Errorf("%.20q is no language of the launcher: write one of %s", v, strings.Join(words.Languages(), ", "))
	})
	logging.Declare(s.set, &s.log)
}

// words returns the language that the person reads, when the system's is w.
func (s *settings) words(w *words.Words) *words.Words {
	return words.For(s.language, w.Language())
}

// loadSettings finds and reads the configuration file. When there is none
// anywhere, it writes one with the defaults to the person's own folder.
func loadSettings(conf string) (*settings, error) {
	s := &settings{}
	declare(s)
	home, candidates := places()
	path, err := inifile.Find(conf, candidates)
	if err != nil {
		return nil, err
	}
	if path == "" && home != "" && s.writeDefault(home) == nil {
		path, s.wroteDefault = home, true
	}
	s.path = path
	if err := s.set.Load(inifile.Source{Path: path, Environ: os.Environ()}); err != nil {
		return s, err
	}
	if s.caFile != "" && s.caFingerprint != "" {
		return s, fmt.Errorf("%s and %s are both set: leave one of them empty", s.fileKey.Where(), s.fingerprintKey.Where())
	}
	return s, nil
}

// places returns the path in the person's configuration folder, which is empty
// when there is no such folder, and all candidates: those of the 0.1 generation.
func places() (home string, candidates []string) {
	const name = "dcvix-launcher.conf"
	if dir, err := homeFolder(); err == nil {
		home = filepath.Join(dir, name)
		candidates = append(candidates, home)
	}
	candidates = append(candidates, name)
	if exe, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(exe), name))
	}
	return home, candidates
}

// homeFolder is where the person's configuration is, and what is remembered.
func homeFolder() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "net.cortassa.dcvix-launcher"), err
}

func (s *settings) writeDefault(path string) error {
	var b bytes.Buffer
	if err := s.set.WriteDefault(&b); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(b.Bytes())
	return errors.Join(err, file.Close())
}

// director returns how the director is to be called, and where it has from who may
// vouch for it.
func (s *settings) director() (client.Config, Trust, error) {
	cfg := client.Config{
		URL: s.broker, CAFingerprint: s.caFingerprint, Proxy: http.ProxyFromEnvironment,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	switch {
	case s.caFile != "":
		pem, err := os.ReadFile(s.caFile)
		if err != nil {
			return cfg, "", fmt.Errorf("%s: the CA cannot be read: %w", s.fileKey.Where(), err)
		}
		cfg.TLS.RootCAs = x509.NewCertPool()
		if !cfg.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return cfg, "", fmt.Errorf("%s: %s holds no certificate in PEM: put the director's ca.pem there", s.fileKey.Where(), s.caFile)
		}
		return cfg, TrustFile, nil
	case s.caFingerprint != "":
		return cfg, TrustFingerprint, nil
	case s.acceptUntrusted:
		cfg.TLS.InsecureSkipVerify = true
		return cfg, TrustNobody, nil
	}
	return cfg, TrustSystem, nil
}

// connectionFolder is in memory where the system has such a place.
func connectionFolder() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "dcvix-launcher"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("there is no place for connection files: %w: set XDG_RUNTIME_DIR", err)
	}
	return filepath.Join(dir, "dcvix-launcher"), nil
}
