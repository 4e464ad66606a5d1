//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	// The simulator runs this program; importing what it is made of lets the cache of
	// test results notice a change.
	_ "github.com/dcvix/dcvix/cmd/directorcmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// buildDirector builds the director into a folder of the test, with the race
// detector when this test has it.
func buildDirector(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	args := []string{"build", "-o", bin + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(t.Context(), "go", append(args, "../../cmd/dcvix-director")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

func TestTheDirectorsViewIsThatOfAFleet(t *testing.T) {
	opts, err := parse([]string{
		"-agents", "100", "-interval", "1s", "-duration", "6s", "-life", "6s", "-people", "20", "-sessions", "60", "-misbehave", "10%",
		"-bin", buildDirector(t), "-dir", t.TempDir(),
	})
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(t.Context(), opts, io.MultiWriter(&out, t.Output())))
	assert.Contains(t, out.String(), "\nagents seen       100 of 100\n")
	assert.Contains(t, out.String(), "\ndirector's view   is that of the fleet\n")
	assert.Regexp(t, `\nreports .* [1-9]\d* accepted, [1-9]\d* refused for cause`, out.String())
	assert.Regexp(t, `\ncalls to agents   [1-9]`, out.String())
	assert.Regexp(t, `\ncalls of people   [1-9]`, out.String())
}

// TestAnotherDirectorIsTakenAndLeftAsItWas measures a director that runs already:
// the program starts none, and takes its agents away in the end.
func TestAnotherDirectorIsTakenAndLeftAsItWas(t *testing.T) {
	size := []string{"-agents", "20", "-interval", "1s", "-duration", "3s", "-life", "3s", "-people", "5", "-sessions", "10", "-misbehave", "10%"}
	dir := t.TempDir()
	own, err := parse(append(size, "-bin", buildDirector(t), "-dir", dir))
	require.NoError(t, err)
	users := []string{`{"id":"fleet-admin","admin":true}`}
	for i := range own.people { // as the description of the program says
		users = append(users, fmt.Sprintf(`{"id":"fleet-%04d","workstations":["ALLOW_CUSTOM"]}`, i))
	}
	d, err := startOwn(t.Context(), own, []byte("["+strings.Join(users, ",")+"]"))
	require.NoError(t, err)
	defer func() { assert.NoError(t, d.stop()) }()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
		return path
	}
	opts, err := parse(append(size, "-director", d.url+"/", "-ca-file", d.caFile, "-admin", d.admin, "-bin", t.TempDir(),
		"-token-file", write("its-token", d.token), "-password-file", write("its-password", d.password)))
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(t.Context(), opts, io.MultiWriter(&out, t.Output())))
	assert.Contains(t, out.String(), "\nagents seen       20 of 20\n")
	assert.Contains(t, out.String(), "\ndirector's view   is that of the fleet\n")

	admin, err := client.New(client.Config{URL: d.url, TLS: trusting(t, d.caFile)})
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, admin.AdminLogin(t.Context(), dcvix.LoginRequest{UserID: d.admin, Password: d.password}))
	left, err := admin.Agents(t.Context(), dcvix.AgentRegistered)
	require.NoError(t, err)
	assert.Empty(t, left, "none of the simulator's is let in any more")
	hosts, err := admin.Hosts(t.Context())
	require.NoError(t, err)
	assert.Empty(t, hosts)

	opts.passwordFile = write("wrong-password", "guess")
	require.Error(t, run(t.Context(), opts, t.Output()))
}

func trusting(t *testing.T, caFile string) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(caFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(text))
	return &tls.Config{RootCAs: pool}
}

func TestADirectorThatDoesNotStartIsSaid(t *testing.T) {
	opts, err := parse([]string{"-agents", "1", "-bin", t.TempDir()})
	require.NoError(t, err)
	require.ErrorContains(t, run(t.Context(), opts, t.Output()), `run "make build" first`)
}

func TestEveryDifferenceIsFound(t *testing.T) {
	console := dcvix.Session{ID: "s", Owner: "alice", Type: dcvix.SessionConsole, Status: "created"}
	shown := func(change func(*dcvix.Session)) []dcvix.Server {
		s := console
		s.ServerID = "ws1"
		change(&s)
		return []dcvix.Server{{Stats: dcvix.Stats{Hostname: "ws1"}, Sessions: []dcvix.Session{s}}}
	}
	same := func(*dcvix.Session) {}
	unknown := func(s *dcvix.Session) { s.Status = dcvix.StatusUnknown }
	tests := map[string]struct {
		fault fault
		has   []dcvix.Session
		view  []dcvix.Server
		want  string // "" is none
	}{
		"as it is":                     {has: []dcvix.Session{console}, view: shown(same)},
		"not shown":                    {view: nil, want: "ws1 is not shown"},
		"shown twice":                  {has: []dcvix.Session{console}, view: append(shown(same), shown(same)...), want: "ws1 is shown twice"},
		"a session that is not there":  {view: shown(same), want: "which is not there"},
		"a session that is missing":    {has: []dcvix.Session{console, {ID: "t"}}, view: shown(same), want: "sessions [t] are there and not shown"},
		"another owner":                {has: []dcvix.Session{console}, view: shown(func(s *dcvix.Session) { s.Owner = "bob" }), want: "shown as of bob"},
		"another type":                 {has: []dcvix.Session{console}, view: shown(func(s *dcvix.Session) { s.Type = "virtual" }), want: "and virtual"},
		"another host":                 {has: []dcvix.Session{console}, view: shown(func(s *dcvix.Session) { s.ServerID = "ws2" }), want: "on ws2"},
		"closing for ever":             {has: []dcvix.Session{console}, view: shown(func(s *dcvix.Session) { s.Status = dcvix.StatusClosing }), want: "closing"},
		"unknown though it reports":    {has: []dcvix.Session{console}, view: shown(unknown), want: "shown as unknown"},
		"silent and unknown":           {fault: silent, has: []dcvix.Session{console}, view: shown(unknown)},
		"silent and no more shown":     {fault: silent, has: []dcvix.Session{console}},
		"silent and shown as if not":   {fault: silent, has: []dcvix.Session{console}, view: shown(same), want: "shown as created"},
		"waited for in vain":           {fault: hang, view: shown(func(s *dcvix.Session) { s.Status = "creating" })},
		"waited for where one answers": {view: shown(func(s *dcvix.Session) { s.Status = "creating" }), want: "which is not there"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := differ([]truth{{name: "ws1", fault: tt.fault, sessions: tt.has}}, tt.view)
			if tt.want == "" {
				assert.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			assert.Contains(t, got[0], tt.want)
		})
	}
}

func TestWhatIsWrongEndsTheProgramWithAnError(t *testing.T) {
	f := new(fleet)
	require.NoError(t, f.verdict())
	for range 30 {
		f.wrong("a wrong thing of %s", "ws1")
	}
	err := f.verdict()
	require.ErrorContains(t, err, "30 things are wrong")
	assert.Equal(t, 20, strings.Count(err.Error(), "a wrong thing of ws1"))
}

func TestEveryKindOfFaultIsThere(t *testing.T) {
	for share, want := range map[percent]int{0: 0, 5: 50, 33: 330, 100: 1000} {
		n, kinds := 0, make(map[fault]int)
		for i := range 1000 {
			if f := faultOf(i, share); f != none {
				n++
				kinds[f]++
			}
		}
		assert.Equal(t, want, n, "%v", share)
		if want > 0 {
			assert.Len(t, kinds, int(faults)-1)
		}
	}
}

func TestOptionsThatMakeNoFleetAreRefused(t *testing.T) {
	for args, want := range map[string]string{
		"-agents 0":                     "-agents is 1 to 99999",
		"-people 0":                     "-people is 1 to 9999",
		"-interval 1500ms":              "whole number of seconds",
		"-duration 1ms":                 "at least 1s",
		"-agents 10 -sessions 21":       "at most 20",
		"-misbehave 101%":               "give 0% to 100%",
		"-director https://localhost:1": "-director needs -ca-file and -password-file",
	} {
		_, err := parse(strings.Fields(args))
		require.ErrorContains(t, err, want, args)
	}
	o, err := parse([]string{"-agents", "10", "-misbehave", "2.5%"})
	require.NoError(t, err)
	assert.Equal(t, 20, o.sessions)
	assert.Equal(t, 10, o.people)
	assert.Equal(t, "2.5%", o.misbehave.String())
}

func TestTheKernelsFiguresAreRead(t *testing.T) {
	// The name of a process may have blanks and parentheses.
	const stat = "4711 (a (b) c) S 1 2 3 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 1234 5678 90"
	u, err := parseUsage(stat, "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n")
	require.NoError(t, err)
	assert.Equal(t, usage{cpu: 3 * time.Second, rss: 1024, peak: 2048}, u)
	for _, bad := range []string{"", "4711", "4711 (x) S 1", strings.Replace(stat, "250", "x", 1)} {
		_, err := parseUsage(bad, "")
		require.Error(t, err, "%q", bad)
	}
	assert.Zero(t, quantile(nil, 99))
	assert.Equal(t, 2*time.Second, quantile([]time.Duration{time.Second, 2 * time.Second}, 99))
}
