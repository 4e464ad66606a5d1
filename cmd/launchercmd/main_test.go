package launchercmd_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

func ExampleMain() {
	code := launchercmd.Main(launchercmd.Options{Args: []string{"--version"}})
	fmt.Println(code)
	// Output:
	// dcvix-launcher 0.2.0-dev
	// 0
}

func TestListShowsDesktopsAndWhatRuns(t *testing.T) {
	d := newDesk(t, "")
	d.stand.servers = []string{"ws1", "WS2.lab.example", "evil\x1b[2J\nname", dcvix.AllowCustom}
	d.stand.sessions = []dcvix.Session{{ID: "dcvix_7", Type: dcvix.SessionVirtual, ServerID: "ws2", NumOfConnections: 1}}

	r := d.launch(t, "--list")
	require.Equal(t, 0, r.code, r.stderr)
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	require.Len(t, lines, 3)
	assert.Equal(t, []string{"ws1", "ready"}, strings.Fields(lines[0]))
	assert.Equal(t, []string{"WS2.lab.example", "running:", "virtual", "dcvix_7"}, strings.Fields(lines[1]))
	assert.Contains(t, r.stderr, "any other host")
	assert.Equal(t, 1, d.stand.seen("POST /v1/logout"))

	r = d.launch(t, "--list", "--json")
	require.Equal(t, 0, r.code, r.stderr)
	var out struct {
		Desktops []launchercmd.Desktop
		AnyHost  bool
	}
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &out))
	assert.True(t, out.AnyHost)
	assert.Equal(t, dcvix.SessionID("dcvix_7"), out.Desktops[1].Sessions[0].ID)
	assert.Contains(t, r.stdout, `"sessions": []`)
}

func TestPoolsAreListedAndOpenedByName(t *testing.T) {
	d := newDesk(t, "")
	d.stand.list = &dcvix.DesktopsResponse{Desktops: []dcvix.Desktop{
		{Kind: dcvix.DesktopPool, Name: "GPU pool", State: "ready", Types: []dcvix.SessionType{dcvix.SessionVirtual}, Hosts: 8, Free: 5},
		{Kind: dcvix.DesktopHost, Name: "ws7", State: "maintenance", Detail: "It is in maintenance: new disk.", Hosts: 1},
	}}
	d.stand.created.ServerID = "ws3"
	r := d.launch(t, "--list")
	require.Equal(t, 0, r.code, r.stderr)
	assert.Equal(t, "GPU pool (pool)  5 of 8 free\nws7              in maintenance\n", r.stdout)

	r = d.launch(t, "--connect", "gpu POOL")
	require.Equal(t, 0, r.code, r.stderr)
	assert.Equal(t, []string{"GPU pool/"}, d.stand.pools)
	assert.Equal(t, []string{"Virtual"}, d.stand.types, "what can be had")
	assert.Contains(t, d.read(t), "host=ws3\n")

	d.append("language = de") // in [log]: a mistake
	assert.Equal(t, launchercmd.ExitUsage, d.launch(t, "--list").code)
}

func TestTheTerminalSpeaksGerman(t *testing.T) {
	d := newDesk(t, "", "language = de")
	r := d.launch(t, "--list")
	require.Equal(t, 0, r.code, r.stderr)
	assert.Contains(t, r.stdout, "ws1")
	assert.Contains(t, r.stdout, "bereit")
	assert.Contains(t, r.stderr, "Anmeldung bei https://")
	assert.Contains(t, d.launch(t, "--close", "ws1").stderr, "Sie haben keine solche Sitzung auf ws1: es gibt nichts zu schließen")
	d.stand.Close()
	r = d.launch(t, "--list")
	assert.Equal(t, launchercmd.ExitDirector, r.code)
	assert.Contains(t, r.stderr, "dcvix-launcher: Der Director antwortet nicht")

	d.rewrite("language = de", "language = fr")
	r = d.launch(t, "--list")
	assert.Contains(t, r.stderr, `"fr" is no language of the launcher: write one of de, en`)
}

func TestConnectHandsTheViewerAPrivateFile(t *testing.T) {
	for name, old := range map[string]bool{"0.1": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			d.stand.old = old
			host, port, user := "ws1", "8443", "alice"
			if !old {
				d.stand.token.Host, d.stand.token.Port, d.stand.token.WebURLPath = "gw.lab.example", 443, "/node7"
				host, port = "gw.lab.example", "443"
			}
			r := d.launch(t, "--connect", "ws1")
			require.Equal(t, 0, r.code, r.stderr)

			mode, content, _ := strings.Cut(d.read(t), "\n")
			if runtime.GOOS != "windows" {
				assert.True(t, strings.HasPrefix(mode, "-rw------- -rwx------ "), mode)
			}
			want := "[version]\nformat=1.0\n\n[connect]\nhost=" + host + "\nport=" + port + "\nwebport=" + port + "\nquicport=" + port + "\n"
			if !old {
				want += "weburlpath=/node7\n"
			}
			want += "sessionid=dcvix_1\nauthtoken=" + goodToken + "\nuser=" + user + "\n"
			assert.Equal(t, want, content)
			assert.Empty(t, d.files(t), "the file is gone")
			assert.Equal(t, 1, d.stand.seen("POST /v1/logout"))
			assert.Equal(t, []string{"Console"}, d.stand.types)
		})
	}
}

func TestConnectGoesBackToTheSessionThatRuns(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"by itself":             {[]string{"--connect", "ws2.lab.example"}, "Virtual"},
		"to what was asked for": {[]string{"--connect", "ws2", "--type", "console"}, "Console"},
		"not to another host's": {[]string{"--connect", "ws1"}, "Console"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "")
			d.stand.sessions = []dcvix.Session{{ID: "dcvix_7", Type: dcvix.SessionVirtual, ServerID: "ws2"}}
			r := d.launch(t, tt.args...)
			require.Equal(t, 0, r.code, r.stderr)
			assert.Equal(t, []string{tt.want}, d.stand.types)
		})
	}
}

func TestCloseEndsTheSessionsOnOneServer(t *testing.T) {
	d := newDesk(t, "")
	d.stand.sessions = []dcvix.Session{
		{ID: "dcvix_7", Type: dcvix.SessionVirtual, ServerID: "ws1"}, {ID: "console", Type: dcvix.SessionConsole, ServerID: "ws2"},
	}
	require.Equal(t, 0, d.launch(t, "--close", "ws1").code)
	assert.Equal(t, 1, d.stand.seen("DELETE /v1/sessions/dcvix_7"))
	assert.Equal(t, 0, d.stand.seen("DELETE /v1/sessions/console"))

	r := d.launch(t, "--close", "ws2", "--type", "virtual")
	assert.Equal(t, launchercmd.ExitFailure, r.code)
	assert.Contains(t, r.stderr, "you have no such session on ws2")
	d.stand.old = true
	r = d.launch(t, "--close", "ws2")
	assert.Equal(t, launchercmd.ExitFailure, r.code)
	assert.Contains(t, r.stderr, "too old to say")
}

func TestBadBeginnings(t *testing.T) {
	tests := map[string]struct {
		viewer string
		lines  []string // of the configuration
		change func(*desk)
		args   []string
		code   int
		says   string
	}{
		"nothing to do":             {args: nil, code: launchercmd.ExitUsage, says: "this build has no window: use --list"},
		"two things to do":          {args: []string{"--list", "--connect", "ws1"}, code: launchercmd.ExitUsage, says: "exclude each other"},
		"an unknown flag":           {args: []string{"--lsit"}, code: launchercmd.ExitUsage, says: "unknown flag: --lsit"},
		"a stray word":              {args: []string{"ws1"}, code: launchercmd.ExitUsage, says: "ws1"},
		"a bad type":                {args: []string{"--connect", "ws1", "--type", "window"}, code: launchercmd.ExitUsage, says: `"console" or "virtual"`},
		"a server with a line":      {args: []string{"--connect", "ws1\nhost=evil"}, code: launchercmd.ExitUsage, says: "is no name of a desktop"},
		"a user with a line":        {args: []string{"--list", "--user", "a\nb"}, code: launchercmd.ExitUsage, says: "control character"},
		"no broker":                 {lines: []string{"ca-file = "}, change: func(d *desk) { d.rewrite("broker = ", "#") }, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "dcvix-launcher.conf: [dcvix-launcher] broker is missing: add broker = https://"},
		"a broker without TLS":      {change: func(d *desk) { d.rewrite("https://", "http://") }, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "dcvix-launcher.conf:2: broker: the director's URL"},
		"a misspelt key":            {lines: []string{"brocker = x"}, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "did you mean broker?"},
		"a CA file that is away":    {lines: []string{"ca-file = gone.pem"}, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "ca-file: the CA cannot be read"},
		"a CA file without a CA":    {lines: []string{"ca-file = dcvix-launcher.conf"}, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "holds no certificate in PEM"},
		"a fingerprint that is cut": {lines: []string{"ca-fingerprint = AA:BB"}, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "is no SHA-256 fingerprint"},
		"two ways to trust":         {lines: []string{"ca-fingerprint = " + strings.Repeat("AB", 32)}, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "are both set"},
		"a director nobody trusts":  {lines: []string{"ca-file = "}, args: []string{"--list"}, code: launchercmd.ExitDirector, says: "not trusted"},
		"another CA than pinned":    {lines: []string{"ca-file = ", "ca-fingerprint = " + strings.Repeat("AB", 32)}, args: []string{"--list"}, code: launchercmd.ExitDirector, says: "(ca-fingerprint or ca-file in dcvix-launcher.conf)"},
		"a director that is away":   {change: func(d *desk) { d.stand.Close() }, args: []string{"--list"}, code: launchercmd.ExitDirector, says: "cannot be reached"},
		"a server that is none":     {change: func(d *desk) { d.rewrite(d.stand.URL, d.stand.URL+"/elsewhere") }, args: []string{"--list"}, code: launchercmd.ExitRefused, says: "Log in first."},
		"a session that is refused": {
			change: func(d *desk) {
				d.stand.refuse["POST /v1/user/sessions"] = dcvix.Problem{Status: 409, Detail: "ws1 has a console session of bob."}
			}, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "dcvix-launcher: ws1 has a console session of bob.\n",
		},
		"no viewer":                 {lines: []string{}, change: func(d *desk) { d.rewriteLine("command = ", "/nonexistent/dcvviewer") }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitViewer, says: `the DCV viewer is not found at "`},
		"a viewer that gives up":    {viewer: "exits with 7", args: []string{"--connect", "ws1"}, code: launchercmd.ExitViewer, says: "ended right after its start, with exit code 7"},
		"a token with a line":       {change: func(d *desk) { d.stand.token.Token = goodToken + "\npassword=x" }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "the director sent a connection token that contains a control character"},
		"a session with a line":     {change: func(d *desk) { d.stand.created.SessionID = "a\r\n[options]" }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "a session id that contains a control character"},
		"a host with a line":        {change: func(d *desk) { d.stand.token.Host = "a\nhost=b" }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "a host that contains"},
		"a path with a line":        {change: func(d *desk) { d.stand.token.WebURLPath = "/\u2028x" }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "a path that contains"},
		"a port that is none":       {change: func(d *desk) { d.stand.token.Port = 70000 }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "70000 for the port"},
		"a folder below a file":     {change: func(d *desk) { d.t.Setenv("XDG_RUNTIME_DIR", d.conf+"/x") }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "the folder for connection files cannot be made"},
		"a folder that is a file":   {change: func(d *desk) { d.t.Setenv("XDG_RUNTIME_DIR", d.fileFolder()) }, args: []string{"--connect", "ws1"}, code: launchercmd.ExitFailure, says: "is no folder"},
		"a log below a file":        {change: func(d *desk) { d.append("directory = dcvix-launcher.conf/log") }, args: []string{"--list"}, code: launchercmd.ExitUsage, says: "log files cannot be written"},
		"a configuration elsewhere": {args: []string{"--conf", "/nonexistent.conf", "--list"}, code: launchercmd.ExitUsage, says: "/nonexistent.conf"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, tt.viewer, tt.lines...)
			if tt.change != nil {
				tt.change(d)
			}
			r := d.launch(t, tt.args...)
			assert.Equal(t, tt.code, r.code, r.stderr)
			assert.Contains(t, r.stderr, tt.says)
			assert.Empty(t, d.files(t), "no connection file is left")
			if tt.viewer == "" {
				assert.NoFileExists(t, d.record, "the viewer was not started")
			}
		})
	}
}

func (d *desk) rewrite(old, with string) {
	content, err := os.ReadFile(d.conf)
	require.NoError(d.t, err)
	require.Contains(d.t, string(content), old)
	require.NoError(d.t, os.WriteFile(d.conf, []byte(strings.Replace(string(content), old, with, 1)), 0o600))
}

func (d *desk) rewriteLine(key, value string) {
	content, err := os.ReadFile(d.conf)
	require.NoError(d.t, err)
	_, rest, _ := strings.Cut(string(content), key)
	line, _, _ := strings.Cut(rest, "\n")
	d.rewrite(key+line, key+value)
}

func (d *desk) append(line string) {
	content, err := os.ReadFile(d.conf)
	require.NoError(d.t, err)
	require.NoError(d.t, os.WriteFile(d.conf, append(content, "\n"+line...), 0o600))
}

// fileFolder returns a folder in which a file has the name of ours.
func (d *desk) fileFolder() string {
	dir := filepath.Join(d.dir, "other")
	require.NoError(d.t, os.MkdirAll(dir, 0o700))
	require.NoError(d.t, os.WriteFile(filepath.Join(dir, "dcvix-launcher"), nil, 0o600))
	return dir
}

func (d *desk) read(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(d.record)
	require.NoError(t, err)
	return string(content)
}

func TestTrustByFingerprint(t *testing.T) {
	d := newDesk(t, "", "ca-file =")
	d.rewrite("ca-file =", "ca-fingerprint = "+strings.ToLower(client.Fingerprint(d.stand.Certificate())))
	r := d.launch(t, "--list")
	assert.Equal(t, 0, r.code, r.stderr)
	assert.NotContains(t, r.stderr, "Warning")
}

func TestAcceptingAnyCertificateIsLoud(t *testing.T) {
	d := newDesk(t, "", "ca-file =", "accept-untrusted-cert = true")
	r := d.launch(t, "--list")
	require.Equal(t, 0, r.code, r.stderr)
	assert.Contains(t, r.stderr, "Warning: the director's certificate is not checked")

	d = newDesk(t, "", "accept-untrusted-cert = true")
	r = d.launch(t, "--list")
	require.Equal(t, 0, r.code, r.stderr)
	assert.NotContains(t, r.stderr, "Warning", "a CA file is checked all the same")
}

func TestFlagsOfThe01GenerationWork(t *testing.T) {
	d := newDesk(t, "")
	for _, conf := range [][]string{{"-conf", d.conf}, {"-conf=" + d.conf}, {"--conf=" + d.conf}} {
		args := append([]string{"--list", "--password-stdin"}, conf...)
		r := launch(t, launchercmd.Options{Args: args, Stdin: strings.NewReader(goodPassword)})
		assert.Equal(t, 0, r.code, r.stderr)
	}
	r := launch(t, launchercmd.Options{Args: []string{"-version"}})
	assert.Equal(t, "dcvix-launcher "+dcvix.Version+"\n", r.stdout)
	r = launch(t, launchercmd.Options{Args: []string{"-help"}})
	assert.Equal(t, 0, r.code)
	assert.Contains(t, r.stdout, "Exit codes:")
}

func TestAFirstStartWritesAConfigurationFile(t *testing.T) {
	d := newDesk(t, "")
	t.Setenv("HOME", d.dir)
	t.Chdir(t.TempDir())
	r := launch(t, launchercmd.Options{Args: []string{"--list"}})
	assert.Equal(t, launchercmd.ExitUsage, r.code)
	assert.Contains(t, r.stderr, "A new configuration file was written: ")
	assert.Contains(t, r.stderr, "broker is missing: add broker = https://")
	if runtime.GOOS == "linux" {
		path := filepath.Join(d.dir, "XDG_CONFIG_HOME", "net.cortassa.dcvix-launcher", "dcvix-launcher.conf")
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, string(content), "such as https://director.example:8445")
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
		r = launch(t, launchercmd.Options{Args: []string{"--list"}})
		assert.NotContains(t, r.stderr, "A new configuration file", "once is enough")
		assert.Contains(t, r.stderr, path+": [dcvix-launcher] broker is missing")
	}
}

// answers is a person who answers prompts in order.
type answers struct {
	lines   []string
	prompts []string
}

func (a *answers) Ask(_ context.Context, prompt string, secret bool) (string, error) {
	a.prompts = append(a.prompts, fmt.Sprintf("%s %v", prompt, secret))
	if len(a.lines) == 0 {
		return "", errors.New("nothing was entered")
	}
	line := a.lines[0]
	a.lines = a.lines[1:]
	return line, nil
}

func TestWhatAPersonIsAsked(t *testing.T) {
	tests := map[string]struct {
		lines   []string
		args    []string
		mode    dcvix.OTPMode
		answers []string
		prompts []string
		code    int
	}{
		"the password":            {answers: []string{goodPassword}, prompts: []string{"Password of alice true"}},
		"the user, if unknown":    {lines: []string{"#"}, answers: []string{"bob", goodPassword}, prompts: []string{"User false", "Password of bob true"}},
		"a code that is required": {mode: dcvix.OTPRequired, answers: []string{goodPassword, "123456"}, prompts: []string{"Password of alice true", "One-time password true"}},
		"a code that is set":      {lines: []string{"otp = true"}, mode: dcvix.OTPOptional, answers: []string{goodPassword, ""}, prompts: []string{"Password of alice true", "One-time password true"}},
		"no code that is given":   {mode: dcvix.OTPRequired, args: []string{"--otp", "123456"}, answers: []string{goodPassword}, prompts: []string{"Password of alice true"}},
		"a second step":           {args: []string{"--user", "otto"}, answers: []string{goodPassword, "123456"}, prompts: []string{"Password of otto true", "Code [2Jof your phone true"}},
		"a second step by flag":   {args: []string{"--user", "otto", "--otp", "123456"}, answers: []string{goodPassword}, prompts: []string{"Password of otto true"}},
		"a wrong second step":     {args: []string{"--user", "otto"}, answers: []string{goodPassword, "1"}, prompts: []string{"Password of otto true", "Code [2Jof your phone true"}, code: launchercmd.ExitRefused},
		"a step nobody answers":   {args: []string{"--user", "otto"}, answers: []string{goodPassword}, prompts: []string{"Password of otto true", "Code [2Jof your phone true"}, code: launchercmd.ExitRefused},
		"a wrong password":        {answers: []string{"wrong"}, prompts: []string{"Password of alice true"}, code: launchercmd.ExitRefused},
		"an empty password":       {answers: []string{""}, prompts: []string{"Password of alice true"}, code: launchercmd.ExitUsage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, "", tt.lines...)
			if tt.lines != nil && tt.lines[0] == "#" {
				d.rewrite("user_id = alice", "user_id =")
			}
			d.stand.otp = tt.mode
			person := &answers{lines: tt.answers}
			r := launch(t, launchercmd.Options{Args: append([]string{"--conf", d.conf, "--list"}, tt.args...), Terminal: person})
			assert.Equal(t, tt.code, r.code, r.stderr)
			assert.Equal(t, tt.prompts, person.prompts)
		})
	}
}

func TestWithoutATerminalItSaysWhatToGive(t *testing.T) {
	d := newDesk(t, "")
	r := launch(t, launchercmd.Options{Args: []string{"--conf", d.conf, "--list"}, Stdin: strings.NewReader("")})
	assert.Equal(t, launchercmd.ExitUsage, r.code)
	assert.Contains(t, r.stderr, "there is no terminal to ask on (Password of alice): give --password-stdin")

	r = d.launch(t, "--list", "--user", "otto")
	assert.Equal(t, launchercmd.ExitRefused, r.code)
	assert.Contains(t, r.stderr, "give --otp CODE")
	assert.Equal(t, 1, strings.Count(r.stderr, "dcvix-launcher: "), "one sentence")

	r = launch(t, launchercmd.Options{Args: []string{"--conf", d.conf, "--list", "--password-stdin"}, Stdin: strings.NewReader(strings.Repeat("x", 1<<20))})
	assert.Equal(t, launchercmd.ExitUsage, r.code)
	assert.Contains(t, r.stderr, "longer than 4096 bytes")
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	d := newDesk(t, "")
	dir := filepath.Join(d.dir, "XDG_RUNTIME_DIR", "dcvix-launcher")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	ended := exec.Command(os.Args[0], "-test.run", "^$")
	require.NoError(t, ended.Run())
	crashed := filepath.Join(dir, fmt.Sprintf("connection-%d-1.dcv", ended.Process.Pid))
	ancient := filepath.Join(dir, fmt.Sprintf("connection-%d-2.dcv", os.Getpid()))
	living := filepath.Join(dir, fmt.Sprintf("connection-%d-3.dcv", os.Getpid()))
	foreign := filepath.Join(dir, "notes.txt")
	for _, path := range []string{crashed, ancient, living, foreign} {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	hourAgo := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(ancient, hourAgo, hourAgo))

	require.Equal(t, 0, d.launch(t, "--connect", "ws1").code)
	assert.ElementsMatch(t, []string{living, foreign}, d.files(t))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), "a folder that was open is closed")
	}
}

func TestTheFileIsGoneWhileTheViewerRuns(t *testing.T) {
	d := newDesk(t, "stays until the file is gone")
	transport, ok := d.stand.Client().Transport.(*http.Transport)
	require.True(t, ok)
	self, err := os.Executable()
	require.NoError(t, err)
	for life := 100 * time.Millisecond; ; life *= 4 {
		engine, err := launchercmd.NewEngine(launchercmd.EngineConfig{
			Director: client.Config{URL: d.stand.URL, Transport: transport}, Folder: filepath.Join(d.dir, "folder"), Command: self, FileLife: life,
		})
		require.NoError(t, err)
		require.NoError(t, engine.Login(t.Context(), dcvix.LoginRequest{UserID: `LAB\alice`, Password: goodPassword}))
		err = engine.Connect(t.Context(), launchercmd.Wish{Name: "ws1"})
		var viewer *launchercmd.ViewerError
		if errors.As(err, &viewer) && viewer.Code == 90 && life < time.Minute {
			continue // this machine takes longer to start a viewer
		}
		require.NoError(t, err)
		break
	}
	assert.NotContains(t, d.read(t), "user=", "a backslash may mean something to the viewer")
}

func TestAnEngineNeedsItsParts(t *testing.T) {
	_, err := launchercmd.NewEngine(launchercmd.EngineConfig{})
	assert.Error(t, err)
}

func TestHTMLOfAStrangerIsNotShown(t *testing.T) {
	d := newDesk(t, "")
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, "<html><body>Welcome to nginx")
	}))
	defer stranger.Close()
	d.rewrite(d.stand.URL, stranger.URL)
	r := d.launch(t, "--list")
	assert.Equal(t, launchercmd.ExitDirector, r.code)
	assert.Contains(t, r.stderr, "is not a dcvix director")
	assert.NotContains(t, r.stderr, "<")
}

func TestOptionsDefaultToTheProcess(t *testing.T) {
	t.Setenv("LAUNCHER_PROCESS", "1")
	out, err := exec.Command(os.Args[0], "--version").Output()
	require.NoError(t, err)
	assert.Equal(t, "dcvix-launcher "+dcvix.Version+"\n", string(out))
}
