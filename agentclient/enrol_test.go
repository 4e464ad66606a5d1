package agentclient_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/ca"
	"github.com/dcvix/dcvix/ca/catest"
	"github.com/dcvix/dcvix/internal/private"
	"github.com/dcvix/dcvix/internal/private/privatetest"
)

func TestAgentWaitsForApprovalAsLongAsItTakes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := newHost(t, d, nil).start()
		waited := lasting(2*day, 21*day)
		time.Sleep(waited)
		assert.Equal(t, agentclient.Pending, h.Status().State)
		assert.Equal(t, 1, h.log.count("waiting for an admin"), "told once")
		_, told, _ := strings.Cut(h.log.String(), "waiting for an admin")
		line, _, _ := strings.Cut(told, "\n")
		assert.Contains(t, line, h.Status().Fingerprint, "with what the admin compares")
		asked, _, _ := d.counts()
		assert.InEpsilon(t, waited.Seconds()/30/0.9, asked, 0.03, "every 30 s less up to 20 %")

		d.with(func(d *director) { d.approved = true })
		time.Sleep(30 * time.Second)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		assert.NotZero(t, h.Status().LastReport, "the first report comes at once")
		h.stop()
	})
}

func TestRegistrationSaysWhatTheDirectorNeeds(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, func(c *agentclient.Config) {
			c.RegistrationToken, c.AgentPort, c.OtherNames = "let-me-in", 9446, []string{"ws1.corp.example", "no_host"}
		})
		asked := d.registers[0]
		assert.Equal(t, "let-me-in", asked.RegistrationToken)
		assert.Equal(t, 9446, asked.AgentPort)
		assert.Equal(t, "ws1.lab.example", asked.Hostname)
		require.NoError(t, asked.GUID.Validate())
		csr, err := ca.ParseCSR(asked.CSR)
		require.NoError(t, err)
		assert.Equal(t, "dcvix-agent-"+string(asked.GUID), csr.CommonNames()[0])
		assert.Equal(t, []string{"ws1", "ws1.lab.example", "ws1.corp.example"}, csr.DNSNames())
		assert.Equal(t, csr.Fingerprint().String(), h.Status().Fingerprint)
		assert.NotContains(t, h.log.String(), "let-me-in", "a secret in the log")
		h.stop()
	})
}

func TestEnrolmentOutlivesEveryKindOfDirector(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault  func(w http.ResponseWriter, r *http.Request) bool
		reason string
	}{
		"answers 500": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "The database is\nbroken\x1b[31m.", http.StatusInternalServerError)
				return true
			},
			reason: "the director answers with status 500: The database is broken[31m.",
		},
		"answers a web page": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write([]byte("<!doctype html><title>hello</title>"))
				return true
			},
			reason: "not the JSON of a director",
		},
		"answers an empty 200": {
			fault:  func(http.ResponseWriter, *http.Request) bool { return true },
			reason: "not the JSON of a director",
		},
		"answers without certificates": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write([]byte("{}"))
				return true
			},
			reason: "no certificate in PEM found",
		},
		"sends the agent elsewhere": {
			fault: func(w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
				return true
			},
			reason: "status 307",
		},
		"answers without an end": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				for range 40 {
					_, _ = w.Write([]byte(strings.Repeat(" ", 64<<10)))
				}
				return true
			},
			reason: "is this a director?",
		},
		"resets the connection": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
				return true
			},
			reason: "the director closed the connection",
		},
		"hangs": {
			fault: func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			},
			reason: "the director does not answer in time",
		},
		"refuses for a wrong token": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "The registration token is wrong.", http.StatusUnauthorized)
				return true
			},
			reason: "status 401: The registration token is wrong.",
		},
		"says 403 for another reason": {
			fault: func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, `{"error":"go away"}`, http.StatusForbidden)
				return true
			},
			reason: "go away",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved = true
				var calls atomic.Int64
				d.fault = func(w http.ResponseWriter, r *http.Request) bool {
					calls.Add(1)
					return tt.fault(w, r)
				}
				h := newHost(t, d, nil).start()
				halves := lasting(1, 4) // of an hour
				time.Sleep(time.Duration(halves) * 30 * time.Minute)
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				assert.Contains(t, h.Status().Trouble, tt.reason)
				assert.Equal(t, 1, h.log.count("did not take a call"), "said once, not at every try")
				d.with(func(d *director) { d.fault = nil })
				tried := calls.Load()
				assert.Greater(t, tried, int64(20*halves), "a try a minute and a half")
				assert.Less(t, tried, int64(150*halves), "no hammering")
				time.Sleep(time.Minute + 20*time.Second)
				assert.Equal(t, agentclient.Enrolled, h.Status().State)
				assert.Empty(t, h.Status().Trouble)
				h.stop()
			})
		})
	}
}

func TestEnrolmentOutlivesADirectorThatIsNotThere(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, nil)
		h.off.Store(true)
		h.start()
		time.Sleep(3 * 24 * time.Hour)
		assert.Contains(t, h.Status().Trouble, "does not resolve")
		assert.Equal(t, 1, h.log.count("did not take a call"))
		h.off.Store(false)
		time.Sleep(time.Minute)
		assert.Equal(t, agentclient.Enrolled, h.Status().State)
		h.stop()
	})
}

func TestGrantsThatAreNotOursAreNotStored(t *testing.T) {
	t.Parallel()
	type answer struct{ r dcvix.RegisterResponse }
	tests := map[string]struct {
		spoil  func(t *testing.T, d *director, a *answer)
		reason string
	}{
		"the CA is missing": {
			spoil:  func(_ *testing.T, _ *director, a *answer) { a.r.CA = "" },
			reason: "the CA in the director's answer",
		},
		"the certificate is missing": {
			spoil:  func(_ *testing.T, _ *director, a *answer) { a.r.Certificate = "" },
			reason: "the certificate in the director's answer",
		},
		"the certificate is for another key": {
			spoil: func(t *testing.T, d *director, a *answer) {
				pair := catest.Issue(t, d.ca, dcvix.AgentCommonName+string(a.r.AgentID))
				a.r.Certificate = string(ca.EncodePEM(pair.Leaf))
			},
			reason: "for another key",
		},
		"the CA did not issue the director's certificate": {
			spoil:  func(t *testing.T, _ *director, a *answer) { a.r.CA = string(catest.New(t).PEM()) },
			reason: "which did not issue the certificate it shows",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				d.approved = true
				d.fault = func(w http.ResponseWriter, r *http.Request) bool {
					record := &recorder{header: http.Header{}}
					d.with(func(d *director) { d.register(record, r) })
					a := &answer{}
					if !assert.NoError(t, json.Unmarshal(record.body, &a.r)) {
						return true
					}
					tt.spoil(t, d, a)
					_ = json.NewEncoder(w).Encode(a.r)
					return true
				}
				h := newHost(t, d, nil).start()
				time.Sleep(10 * time.Minute)
				assert.Equal(t, agentclient.Unenrolled, h.Status().State)
				assert.Contains(t, h.Status().Trouble, tt.reason)
				assert.NoFileExists(t, filepath.Join(h.cfg.StateDir, agentclient.CertFile))
				assert.NoFileExists(t, filepath.Join(h.cfg.StateDir, agentclient.CAFile))
				h.stop()
			})
		})
	}
}

func TestTrustedDirectorCannotPutAnotherCAInItsPlace(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d, second := newDirector(t), newDirector(t)
		d.approved = true
		d.fault = func(w http.ResponseWriter, r *http.Request) bool {
			second.with(func(s *director) {
				s.approved = true
				s.register(w, r) // all of it good, for the other CA
			})
			return true
		}
		h := newHost(t, d, func(c *agentclient.Config) { c.CAFingerprint = fingerprint(d) }).start()
		time.Sleep(10 * time.Minute)
		assert.Equal(t, agentclient.Unenrolled, h.Status().State)
		assert.Contains(t, h.Status().Trouble, "nothing was stored")
		assert.NoFileExists(t, filepath.Join(h.cfg.StateDir, agentclient.CAFile))
		h.stop()
	})
}

func TestCAIsStoredBeforeTheCertificate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		d.approved = true
		h := newHost(t, d, nil)
		blocked := filepath.Join(h.cfg.StateDir, agentclient.CertFile)
		require.NoError(t, os.MkdirAll(filepath.Join(blocked, "in the way"), 0o700))
		h.start()
		time.Sleep(10 * time.Minute)
		assert.Equal(t, agentclient.Unenrolled, h.Status().State, "what is not stored does not count")
		assert.Contains(t, h.Status().Trouble, blocked)
		assert.FileExists(t, filepath.Join(h.cfg.StateDir, agentclient.CAFile))
		require.NoError(t, os.RemoveAll(blocked))
		time.Sleep(2 * time.Minute)
		assert.Equal(t, agentclient.Enrolled, h.Status().State, "a full disk heals too")
		h.stop()
	})
}

func TestRestartGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := enrolled(t, d, nil)
		before := h.Status()
		h.restart()
		synctest.Wait()
		asked, _, reported := d.counts()
		assert.Equal(t, 1, asked, "a valid certificate needs no registration")
		assert.Equal(t, 2, reported, "and reports at once")
		assert.Equal(t, before.GUID, h.Status().GUID)
		assert.Equal(t, before.Fingerprint, h.Status().Fingerprint)
		h.stop()
	})
}

func TestStateFolderHealsAfterAKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	remove := func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) }
	truncate := func(t *testing.T, path string) { require.NoError(t, os.Truncate(path, 17)) }
	tests := map[string]struct {
		file    string
		harm    func(t *testing.T, path string)
		newKey  bool
		newGUID bool
	}{
		"certificate absent":    {file: agentclient.CertFile, harm: remove},
		"certificate truncated": {file: agentclient.CertFile, harm: truncate},
		"CA absent":             {file: agentclient.CAFile, harm: remove},
		"GUID absent":           {file: agentclient.GUIDFile, harm: remove, newGUID: true},
		"GUID truncated":        {file: agentclient.GUIDFile, harm: truncate, newGUID: true},
		"key absent":            {file: agentclient.KeyFile, harm: remove, newKey: true, newGUID: true},
		"key truncated":         {file: agentclient.KeyFile, harm: truncate, newKey: true, newGUID: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := enrolled(t, d, nil)
				before := h.Status()
				h.stop()
				tt.harm(t, filepath.Join(h.cfg.StateDir, tt.file))
				h.start()
				synctest.Wait()
				after := h.Status()
				assert.Equal(t, agentclient.Enrolled, after.State, h.log.String())
				assert.Equal(t, tt.newGUID, before.GUID != after.GUID, "GUID changed")
				assert.Equal(t, tt.newKey, before.Fingerprint != after.Fingerprint, "key changed")
				asked, _, _ := d.counts()
				assert.Equal(t, 2, asked, "registered again")
				h.restart()
				synctest.Wait()
				asked, _, _ = d.counts()
				assert.Equal(t, 2, asked, "healed for good")
				h.stop()
			})
		})
	}
}

func TestRunRefusesAHostThatIsNotSafe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
		text    string
	}{
		"a key that others can read": {
			prepare: func(t *testing.T, dir string) {
				_, err := ca.OpenKey(filepath.Join(dir, agentclient.KeyFile))
				require.NoError(t, err)
				privatetest.OpenToOthers(t, filepath.Join(dir, agentclient.KeyFile))
			},
			want: ca.ErrInsecureKey,
			text: privatetest.Remedy,
		},
		"a CA file without a CA": {
			prepare: func(t *testing.T, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, agentclient.CAFile), []byte("oops"), 0o600))
			},
			text: "copy the director's CA there",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				d := newDirector(t)
				h := newHost(t, d, nil)
				tt.prepare(t, h.cfg.StateDir)
				agent, err := agentclient.New(h.cfg)
				require.NoError(t, err)
				err = agent.Run(t.Context())
				require.Error(t, err)
				assert.ErrorContains(t, err, tt.text)
				if tt.want != nil {
					assert.ErrorIs(t, err, tt.want)
				}
				asked, _, _ := d.counts()
				assert.Zero(t, asked)
			})
		})
	}
}

func TestPrivateFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		d := newDirector(t)
		h := newHost(t, d, nil)
		h.cfg.StateDir = filepath.Join(h.cfg.StateDir, "new", "folder")
		h.start()
		synctest.Wait()
		for path, perm := range map[string]os.FileMode{h.cfg.StateDir: 0o700, filepath.Join(h.cfg.StateDir, agentclient.KeyFile): 0o600} {
			remedy, err := private.Remedy(path)
			require.NoError(t, err)
			assert.Empty(t, remedy)
			info, err := os.Stat(path)
			require.NoError(t, err)
			if runtime.GOOS != "windows" { // where these bits say nothing
				assert.Equal(t, perm, info.Mode().Perm())
			}
		}
		h.stop()
	})
}

func TestRunTwiceIsAMistake(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		h := newHost(t, newDirector(t), nil).start()
		synctest.Wait()
		assert.ErrorContains(t, h.Run(t.Context()), "twice")
		h.stop()
	})
}
