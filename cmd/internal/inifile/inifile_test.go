package inifile_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

// config has one variable of each kind.
type config struct {
	Host, Auth, Password, Folder string
	Names                        []string
	Port                         int
	Strict                       bool
	Wait                         time.Duration
	Bytes                        int64
	Level                        string
}

func declare(c *config) *inifile.Set {
	set := inifile.New("dcvix-demo")
	s := set.Section("demo")
	s.String(&c.Host, "director_host", "0.0.0.0", "address to listen on")
	s.Enum(&c.Auth, "auth_type", "pam", "who checks passwords", "pam", "ldap", "radius")
	s.Secret(&c.Password, "bind_password", "password", "password of the account that searches")
	s.Path(&c.Folder, "data_dir", "state", "where keys are kept")
	s.List(&c.Names, "server_names", "a, b", "names of this machine")
	s.Int(&c.Port, "director_port", 8445, "port").Range(1, 65535)
	s.Bool(&c.Strict, "tls-strict", true, "verify certificates")
	s.Duration(&c.Wait, "max_age", 30*time.Second, "when silence is news").Between(0, 24*time.Hour)
	s.Size(&c.Bytes, "max_bytes", 1<<30, "size of a file")
	s.Reserved("gateway", "comes later")
	set.Section("log").Enum(&c.Level, "level", "info", "how much is logged", "debug", "info", "warning", "error", "critical")
	return set
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dcvix-demo.conf")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func load(t *testing.T, content string, environ ...string) (config, error) {
	t.Helper()
	var c config
	err := declare(&c).Load(inifile.Source{Path: write(t, content), Environ: environ})
	return c, err
}

func TestValuesSurvive(t *testing.T) {
	tests := map[string]struct {
		line string // in [demo]
		got  func(config) any
		want any
	}{
		"a secret with comment characters":       {`bind_password = se#cr;et`, password, `se#cr;et`},
		"a secret with a space before them":      {`bind_password = se #cr ;et`, password, `se #cr ;et`},
		"a secret that starts with one":          {`bind_password = #secret`, password, `#secret`},
		"a secret with an equals sign and colon": {`bind_password = a=b:c==`, password, `a=b:c==`},
		"a trailing backslash":                   {`director_host = C:\x\` + "\ndirector_port = 9", host, `C:\x\`},
		"quotes inside":                          {`bind_password = a"b'c`, password, `a"b'c`},
		"surrounding double quotes":              {`bind_password = " spaced "`, password, ` spaced `},
		"surrounding single quotes":              {`bind_password = 'x'`, password, `'x'`},
		"a list of quoted arguments":             {`director_host = "-c" "x y"`, host, `"-c" "x y"`},
		"a value that starts with a backquote":   {"bind_password = `abc", password, "`abc"},
		"a value that starts with three quotes":  {`bind_password = """abc`, password, `"""abc`},
		"a percent expansion":                    {`director_host = %(bind_password)s`, host, `%(bind_password)s`},
		"a lone quote":                           {`director_host = "`, host, `"`},
		"an empty text is a value":               {`director_host =`, host, ``},
		"an empty number means the default":      {`director_port =`, port, 8445},
		"a comment after a number":               {`director_port = 9000 ; was 8445`, port, 9000},
		"a comment after a tab":                  {"director_port = 9000\t# was 8445", port, 9000},
		"a comment instead of a number":          {`director_port = # 9000`, port, 8445},
		"a quoted number":                        {`director_port = "9000"`, port, 9000},
		"a quoted number and a comment":          {`director_port = "9000" # "x"`, port, 9000},
		"a colon as the delimiter":               {`director_port: 9000`, port, 9000},
		"a duration":                             {`max_age = 1h30m`, func(c config) any { return c.Wait }, 90 * time.Minute},
		"a bare number of seconds":               {`max_age = 40 # seconds`, func(c config) any { return c.Wait }, 40 * time.Second},
		"a switch in capitals":                   {`tls-strict = No`, func(c config) any { return c.Strict }, false},
		"a choice in capitals":                   {`auth_type = LDAP ; x`, func(c config) any { return c.Auth }, "ldap"},
		"a list":                                 {`server_names = x ,, y,`, func(c config) any { return c.Names }, []string{"x", "y"}},
		"an empty list":                          {`server_names =`, func(c config) any { return len(c.Names) }, 0},
		"a size":                                 {`max_bytes = 3 MiB`, func(c config) any { return c.Bytes }, int64(3 << 20)},
		"a size without a unit":                  {`max_bytes = 77`, func(c config) any { return c.Bytes }, int64(77)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, "[demo]\n"+tt.line+"\n")
			require.NoError(t, err)
			assert.Equal(t, tt.want, tt.got(c))
		})
	}
}

func password(c config) any { return c.Password }
func host(c config) any     { return c.Host }
func port(c config) any     { return c.Port }

func TestLinesAreToldApart(t *testing.T) {
	tests := map[string]string{
		"a byte order mark":          "\xef\xbb\xbf[demo]\ndirector_port=9\n[log]\nlevel=debug\n",
		"line ends of Windows":       "[demo]\r\ndirector_port = 9\r\n\r\n[log]\r\nlevel = debug\r\n",
		"comments and spaces":        "; one\n# two\n  [ demo ]  # three [x]\n\n  director_port=9\n[log] ; four\nlevel=debug",
		"a section that comes twice": "[demo]\n[log]\nlevel=debug\n[demo]\ndirector_port=9\n",
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, content)
			require.NoError(t, err)
			assert.Equal(t, 9, c.Port)
			assert.Equal(t, "debug", c.Level)
		})
	}
}

func TestProblemsAreSentencesWithPlaceAndRemedy(t *testing.T) {
	tests := map[string]struct {
		content string
		want    string // after the path
	}{
		"a misspelt key":        {"[demo]\ndirecter_host = x", `:2: unknown key "directer_host" in [demo]: did you mean director_host? Correct or remove the line`},
		"a key in capitals":     {"[demo]\nDirector_Host = x", `:2: unknown key "Director_Host" in [demo]: did you mean director_host? Correct or remove the line`},
		"a key nothing is like": {"[demo]\n\ncolour = x", `:3: unknown key "colour" in [demo]: remove the line`},
		"a key elsewhere":       {"[demo]\nlevel = debug", `:2: key "level" belongs to [log], not to [demo]: move the line there`},
		"an unknown section":    {"[demos]\nlevel = debug", `:1: unknown section [demos]: did you mean [demo]?`},
		"a far section":         {"[something]", `:1: unknown section [something]: the sections of dcvix-demo are [demo], [log]`},
		"no section":            {"level = debug", `:1: a key stands before the first section: put [log] above it`},
		"an open section":       {"[demo\n", `:1: the section has no "]": add it`},
		"an empty section":      {"[]\n", `:1: the section has no name: write one between the brackets`},
		"text after a section":  {"[demo] x\n", `:1: there is text after the "]" of a section: put it on a line of its own`},
		"no delimiter":          {"[demo]\nsecretpart", `:2: the line is no [section], no "key = value" and no comment: correct it, or start it with "#"`},
		"no key":                {"[demo]\n= x", `:2: there is no key before the "=": add one, or start the line with "#"`},
		"a bad number":          {"[demo]\ndirector_port = abc", `:2: director_port: "abc" is not a whole number`},
		"a port out of range":   {"[demo]\ndirector_port = 70000", `:2: director_port: 70000 is out of range: write a number from 1 to 65535`},
		"a bad duration":        {"[demo]\nmax_age = soon", `:2: max_age: "soon" is not a duration: write one such as 90s, 15m or 12h, or a number of seconds`},
		"an endless duration":   {"[demo]\nmax_age = 99999999999999999", `:2: max_age: "99999999999999999" is not a duration: write one such as 90s, 15m or 12h, or a number of seconds`},
		"a negative duration":   {"[demo]\nmax_age = -5", `:2: max_age: "-5" is a negative duration: write 0 or more`},
		"a long duration":       {"[demo]\nmax_age = 25h", `:2: max_age: 25h is out of range: write a duration from 0s to 24h`},
		"a bad switch":          {"[demo]\ntls-strict = maybe", `:2: tls-strict: "maybe" is neither true nor false: write one of the two`},
		"a misspelt choice":     {"[demo]\nauth_type = lpad", `:2: auth_type: "lpad" is not one of its choices (did you mean ldap?): write pam, ldap or radius`},
		"a bad size":            {"[demo]\nmax_bytes = 3 TB", `:2: max_bytes: "3 TB" is not a size: write a number of bytes, or one such as 512KiB, 100MiB or 1GiB`},
		"an endless size":       {"[demo]\nmax_bytes = 9999999999GiB", `:2: max_bytes: "9999999999GiB" is not a size: write a number of bytes, or one such as 512KiB, 100MiB or 1GiB`},
		"a key twice":           {"[demo]\ndirector_port=1\n[log]\n[demo]\ndirector_port=2", `:5: director_port is given again (line 2): remove one`},
		"a control character":   {"[demo]\ndirector_host = a\x00b", `:2: the value contains a control character: remove it`},
		"UTF-16":                {"\xff\xfe[\x00", `:1: the file is UTF-16: save it as UTF-8`},
		"both forms of a secret": {
			"[demo]\nbind_password = x\nbind_password_file = y", `:3: bind_password and bind_password_file are both given (line 2): remove one`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.content)
			var c config
			err := declare(&c).Load(inifile.Source{Path: path})
			require.Error(t, err)
			assert.Equal(t, path+tt.want, err.Error())
		})
	}
}

func TestAllProblemsComeTogetherInLineOrder(t *testing.T) {
	_, err := load(t, "[log]\nlevel = loud\n[demo]\ndirector_port = x\ncolour = 1\nmax_age = y\n",
		"DCVIX_DEMO_NOPE=1")
	require.Error(t, err)
	lines := regexp.MustCompile(`(?m):(\d+): `).FindAllStringSubmatch(err.Error(), -1)
	var numbers []string
	for _, m := range lines {
		numbers = append(numbers, m[1])
	}
	assert.Equal(t, []string{"2", "4", "5", "6"}, numbers)
	all := strings.Split(err.Error(), "\n")
	assert.Len(t, all, 5)
	assert.Contains(t, all[4], "DCVIX_DEMO_NOPE")
}

func TestAWrongFileIsNotReportedLineByLineForEver(t *testing.T) {
	_, err := load(t, strings.Repeat("nonsense\n", 5000))
	require.Error(t, err)
	assert.Len(t, strings.Split(err.Error(), "\n"), 21)
	assert.True(t, strings.HasSuffix(err.Error(), "and 4980 more"))
}

func TestLenientTurnsUnknownThingsIntoNotes(t *testing.T) {
	path := write(t, "[old]\nx = 1\n[demo]\ncolour = red\ndirector_port = 1\ndirector_port = 2\n")
	var c config
	set := declare(&c)
	require.NoError(t, set.Load(inifile.Source{Path: path, Lenient: true, Environ: []string{"DCVIX_LOG_NOPE=1"}}))
	assert.Equal(t, 2, c.Port, "the last one wins, as in 0.1")
	var texts []string
	for _, n := range set.Notes() {
		assert.Equal(t, slog.LevelWarn, n.Level)
		texts = append(texts, strings.TrimPrefix(n.Text, path))
	}
	assert.Equal(t, []string{
		":1: unknown section [old]: the sections of dcvix-demo are [demo], [log] (ignored)",
		`:4: unknown key "colour" in [demo]: remove the line (ignored)`,
		":6: director_port is given again (line 5): this one counts",
		"DCVIX_LOG_NOPE is set and belongs to no key of [log] (ignored)",
	}, texts)

	require.Error(t, set.Load(inifile.Source{Path: write(t, "[demo]\ndirector_port = x"), Lenient: true}), "a bad number stays an error")
}

func TestNotesSayWhatIsIgnoredOrLooksWrong(t *testing.T) {
	var c config
	set := declare(&c)
	path := write(t, "[demo]\ngateway = x\ndirector_host = 10.0.0.1 # main\nbind_password = a #b\n")
	require.NoError(t, set.Load(inifile.Source{Path: path}))
	var out bytes.Buffer
	set.LogNotes(t.Context(), slog.New(slog.NewTextHandler(&out, nil)))
	assert.Contains(t, out.String(), "gateway has no meaning in this version and is ignored")
	assert.Contains(t, out.String(), "the value of director_host contains")
	assert.NotContains(t, out.String(), "bind_password", "the form of a secret is nobody's business")
	assert.Equal(t, "10.0.0.1 # main", c.Host)
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("two\n\n"), 0o600))
	c, err := load(t, "[demo]\ndirector_host = file\nbind_password = one\ndirector_port = nonsense\n",
		"DCVIX_DEMO_DIRECTOR_HOST= env # all of it", "DCVIX_DEMO_TLS_STRICT=off", "DCVIX_LOG_LEVEL=error",
		"DCVIX_DEMO_BIND_PASSWORD_FILE="+secret, "DCVIX_OTHER_X=1", "HOME=/", "DCVIX_DEMO_DIRECTOR_PORT=7")
	require.NoError(t, err)
	assert.Equal(t, " env # all of it", c.Host)
	assert.False(t, c.Strict)
	assert.Equal(t, "error", c.Level)
	assert.Equal(t, "two\n", c.Password, "one newline at the end is the editor's")
	assert.Equal(t, 7, c.Port)
}

func TestEnvironmentProblems(t *testing.T) {
	tests := map[string]struct {
		environ []string
		want    string
	}{
		"a misspelt variable": {
			[]string{"DCVIX_DEMO_DIRECTOR_PROT=1"},
			"DCVIX_DEMO_DIRECTOR_PROT is set and belongs to no key of [demo] (did you mean DCVIX_DEMO_DIRECTOR_PORT?): correct or unset it",
		},
		"a bad number": {[]string{"DCVIX_DEMO_DIRECTOR_PORT=x"}, `DCVIX_DEMO_DIRECTOR_PORT: "x" is not a whole number`},
		"both forms of a secret": {
			[]string{"DCVIX_DEMO_BIND_PASSWORD=x", "DCVIX_DEMO_BIND_PASSWORD_FILE=y"},
			"DCVIX_DEMO_BIND_PASSWORD and DCVIX_DEMO_BIND_PASSWORD_FILE are both set: unset one",
		},
		"a control character": {[]string{"DCVIX_DEMO_DIRECTOR_HOST=a\nb"}, "DCVIX_DEMO_DIRECTOR_HOST contains a control character: remove it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, "[demo]\n", tt.environ...)
			assert.EqualError(t, err, tt.want)
		})
	}
}

func TestSecretsStayOutOfErrorsAndNotes(t *testing.T) {
	const secret = "hUnter2"
	for name, content := range map[string]string{
		"a secret that is given twice":    "[demo]\nbind_password = " + secret + "\nbind_password = " + secret,
		"a secret that was wrapped":       "[demo]\nbind_password = abc\n  " + secret + "==",
		"a secret without a key":          "[demo]\n" + secret,
		"a secret under a misspelt key":   "[demo]\nbind_pasword = " + secret,
		"a secret with a control":         "[demo]\nbind_password = " + secret + "\x01",
		"a secret file that is not there": "[demo]\nbind_password_file = /nonexistent/file\nbind_password = " + secret,
	} {
		t.Run(name, func(t *testing.T) {
			for _, lenient := range []bool{false, true} {
				var c config
				set := declare(&c)
				err := set.Load(inifile.Source{Path: write(t, content), Lenient: lenient})
				assert.NotContains(t, fmt.Sprint(err, set.Notes()), secret)
			}
		})
	}
}

func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.conf")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pw"), []byte("s#e;c\\\r\n"), 0o600))
	require.NoError(t, os.WriteFile(path, []byte("[demo]\nbind_password_file = pw\n"), 0o600))
	var c config
	set := declare(&c)
	require.NoError(t, set.Load(inifile.Source{Path: path}))
	assert.Equal(t, `s#e;c\`, c.Password)

	require.NoError(t, os.Remove(filepath.Join(dir, "pw")))
	err := set.Load(inifile.Source{Path: path})
	assert.ErrorContains(t, err, path+":2: bind_password: the file with the secret cannot be read: open ")
	assert.ErrorIs(t, err, err)
}

func TestADeclaredFileKeyKeepsItsOwnMeaning(t *testing.T) {
	var key, file string
	set := inifile.New("x")
	set.Section("a").Secret(&key, "token_key", "", "")
	set.Section("a").String(&file, "token_key_file", "", "")
	require.NoError(t, set.Load(inifile.Source{Path: write(t, "[a]\ntoken_key_file = made-later\n"), Environ: []string{"DCVIX_A_TOKEN_KEY=k"}}))
	assert.Equal(t, "k", key)
	assert.Equal(t, "made-later", file)
}

func TestPathsCountFromTheFile(t *testing.T) {
	path := write(t, "[demo]\n")
	dir := filepath.Dir(path)
	tests := map[string]struct{ content, want string }{
		"the default":     {"[demo]\n", filepath.Join(dir, "state")},
		"a relative path": {"[demo]\ndata_dir = a/../b", filepath.Join(dir, "b")},
		"an absolute one": {"[demo]\ndata_dir = " + filepath.Join(dir, "x#y"), filepath.Join(dir, "x#y")},
		"an empty one":    {"[demo]\ndata_dir =", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))
			var c config
			require.NoError(t, declare(&c).Load(inifile.Source{Path: path}))
			assert.Equal(t, tt.want, c.Folder)
		})
	}
	t.Run("without a file they count from the working directory", func(t *testing.T) {
		t.Chdir(dir)
		var c config
		require.NoError(t, declare(&c).Load(inifile.Source{}))
		wd, err := os.Getwd()
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(wd, "state"), c.Folder)
	})
}

func TestProgramsAreNamesOrPaths(t *testing.T) {
	path := write(t, "")
	dir := filepath.Dir(path)
	for given, want := range map[string]string{
		"dcvviewer":                       "dcvviewer",
		"./dcvviewer":                     filepath.Join(dir, "dcvviewer"),
		"bin/dcvviewer":                   filepath.Join(dir, "bin", "dcvviewer"),
		filepath.Join(dir, "elsewhere/x"): filepath.Join(dir, "elsewhere/x"),
		"":                                "",
	} {
		var got string
		set := inifile.New("x")
		set.Section("a").Program(&got, "command", "default", "")
		require.NoError(t, os.WriteFile(path, []byte("[a]\ncommand = "+given), 0o600))
		require.NoError(t, set.Load(inifile.Source{Path: path}))
		assert.Equal(t, want, got, given)
	}
}

func TestRequiredKeys(t *testing.T) {
	var broker string
	set := inifile.New("dcvix-launcher")
	key := set.Section("dcvix-launcher").String(&broker, "broker", "", "URL of the director").Required("https://director.example:8445")

	path := write(t, "[dcvix-launcher]\nbroker =\n")
	assert.EqualError(t, set.Load(inifile.Source{Path: path}),
		path+": [dcvix-launcher] broker is missing: add broker = https://director.example:8445")
	assert.EqualError(t, set.Load(inifile.Source{}),
		"[dcvix-launcher] broker is missing: add broker = https://director.example:8445 to dcvix-launcher.conf, or set DCVIX_DCVIX_LAUNCHER_BROKER")
	require.NoError(t, set.Load(inifile.Source{Environ: []string{"DCVIX_DCVIX_LAUNCHER_BROKER=https://d"}}))
	assert.True(t, key.IsSet())
}

func TestKeysSayWhereTheyComeFrom(t *testing.T) {
	var host string
	set := inifile.New("dcvix-demo")
	key := set.Section("demo").String(&host, "director_host", "", "")
	require.NoError(t, set.Load(inifile.Source{}))
	assert.Equal(t, "dcvix-demo.conf: [demo] director_host", key.Where())
	assert.False(t, key.IsSet())
	path := write(t, "\n[demo]\ndirector_host = x\n")
	require.NoError(t, set.Load(inifile.Source{Path: path}))
	assert.Equal(t, path+":3: director_host", key.Where())
	require.NoError(t, set.Load(inifile.Source{Path: path, Environ: []string{"DCVIX_DEMO_DIRECTOR_HOST=y"}}))
	assert.Equal(t, "DCVIX_DEMO_DIRECTOR_HOST", key.Where())
	require.NoError(t, set.Load(inifile.Source{}))
	assert.Empty(t, host, "a second load starts from the defaults")
}

func TestChecksCompleteTheSentence(t *testing.T) {
	var url string
	set := inifile.New("x")
	set.Section("a").String(&url, "broker", "", "").Check(func(v string) error {
		if !strings.HasPrefix(v, "https://") {
			return fmt.Errorf("%q is not https: write https://…", v)
		}
		return nil
	})
	path := write(t, "[a]\nbroker = http://x\n")
	assert.EqualError(t, set.Load(inifile.Source{Path: path}), path+`:2: broker: "http://x" is not https: write https://…`)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	var c config
	set := declare(&c)
	assert.ErrorIs(t, set.Load(inifile.Source{Path: filepath.Join(t.TempDir(), "none.conf")}), os.ErrNotExist)
	assert.ErrorContains(t, set.Load(inifile.Source{Path: write(t, strings.Repeat("#\n", 1<<20))}), "larger than 1 MiB")
	assert.ErrorContains(t, set.Load(inifile.Source{Path: t.TempDir()}), "cannot be read")
}

func TestDeclaringAKeyTwicePanics(t *testing.T) {
	s := inifile.New("x").Section("a")
	s.Reserved("k", "")
	assert.Panics(t, func() { s.Reserved("k", "") })
}

func TestWriteDefaultLoadsBackToTheDefaults(t *testing.T) {
	var want config
	set := declare(&want)
	set.Section("demo").String(new(string), "spaced", " a ", "keeps its spaces")
	set.Section("demo").String(new(string), "broker", "", "needed").Required("https://x")
	var b bytes.Buffer
	require.NoError(t, set.WriteDefault(&b))
	assert.NotContains(t, b.String(), "gateway")
	taken := regexp.MustCompile(`(?m)^#([a-z_-]+ =.*)$`).ReplaceAllString(b.String(), "$1")
	assert.Equal(t, 12, strings.Count(b.String(), "\n#")-strings.Count(b.String(), "\n# "), "every key is shown")

	for name, content := range map[string]string{"as written": b.String(), "with every line taken in": taken} {
		t.Run(name, func(t *testing.T) {
			path := write(t, content)
			var got, def config
			require.NoError(t, declare(&def).Load(inifile.Source{Path: write(t, "")}))
			other := declare(&got)
			spaced := ""
			other.Section("demo").String(&spaced, "spaced", " a ", "")
			other.Section("demo").String(new(string), "broker", "", "")
			require.NoError(t, other.Load(inifile.Source{Path: path}))
			def.Folder = filepath.Join(filepath.Dir(path), "state")
			assert.Equal(t, def, got)
			assert.Equal(t, " a ", spaced)
			assert.Empty(t, other.Notes())
		})
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.conf"), filepath.Join(dir, "b.conf")
	require.NoError(t, os.WriteFile(b, nil, 0o600))

	got, err := inifile.Find("", []string{filepath.Join(b, "below-a-file"), dir, a, b})
	require.NoError(t, err)
	assert.Equal(t, b, got, "folders and missing files are passed over")

	got, err = inifile.Find("", []string{a})
	require.NoError(t, err)
	assert.Empty(t, got)

	got, err = inifile.Find(b, []string{a})
	require.NoError(t, err)
	assert.Equal(t, b, got)

	_, err = inifile.Find(a, []string{b})
	require.ErrorIs(t, err, os.ErrNotExist, "a path that was asked for must exist")
	_, err = inifile.Find(dir, nil)
	require.ErrorContains(t, err, "is a folder")

	all := inifile.Candidates("director")
	assert.Equal(t, "dcvix-director.conf", all[len(all)-1])
	assert.Len(t, all, 3)
}
