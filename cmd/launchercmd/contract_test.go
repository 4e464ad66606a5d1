package launchercmd_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A first is a director of the 0.1 generation. It knows the rows of the wire that are
// frozen and no other: all else is 200 and its web page. It keeps to what was seen of
// that generation: plain text for errors, 500 for most of them, HTTP/1.1 without ALPN.
type first struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	asked  []string // the rows in their order
	probes []string // what it does not know
	config string   // that was set
	broken string   // a row that fails
}

const firstCookie = "v4.local.first"

func newFirst(t *testing.T) *first {
	t.Helper()
	f := &first{t: t}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = log.New(t.Output(), "", 0)
	f.StartTLS()
	t.Cleanup(f.Close)
	return f
}

// fields are those of the bodies of the frozen rows.
var fields = map[string][]string{
	"POST /v1/user/login":                   {"userID", "password", "otp"},
	"POST /v1/user/sessions":                {"serverId", "sessionType", "userId"},
	"POST /v1/user/servers/{server}/config": {"config"},
	"GET /v1/health":                        nil,
	"POST /v1/logout":                       nil,
	"GET /v1/user/servers":                  nil,
	"GET /v1/user/connectiontoken":          nil,
}

func (f *first) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	row := r.Method + " " + r.URL.Path
	if rest, ok := strings.CutPrefix(row, "POST /v1/user/servers/"); ok && strings.HasSuffix(rest, "/config") {
		row = "POST /v1/user/servers/{server}/config"
	}
	known, ok := fields[row]
	f.mu.Lock()
	defer f.mu.Unlock()
	if !ok {
		f.probes = append(f.probes, row)
		assert.Equal(f.t, http.MethodGet, r.Method, "%s: what it does not know is looked for, and nothing is asked to change", row)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>dcvix</title>")
		return
	}
	f.asked = append(f.asked, row)
	body := f.body(row, r, known)
	cookie, err := r.Cookie("dcvix_session")
	if err != nil && strings.HasPrefix(r.URL.Path, "/v1/user/") && row != "POST /v1/user/login" || err == nil && cookie.Value != firstCookie {
		http.Error(w, "missing or invalid token", http.StatusUnauthorized)
		return
	}
	if row == f.broken {
		http.Error(w, "it went wrong there", http.StatusInternalServerError)
		return
	}
	f.answer(w, r, row, body)
}

// body reads what may be sent with a row.
func (f *first) body(row string, r *http.Request, known []string) map[string]any {
	text, err := io.ReadAll(r.Body)
	if !assert.NoError(f.t, err) || len(known) == 0 {
		assert.Empty(f.t, text, row)
		return nil
	}
	assert.Equal(f.t, "application/json", r.Header.Get("Content-Type"))
	var body map[string]any
	assert.NoError(f.t, json.Unmarshal(text, &body), row)
	for name := range body {
		assert.Contains(f.t, known, name, "a field of %s that the 0.1 generation does not have", row)
	}
	return body
}

func (f *first) answer(w http.ResponseWriter, r *http.Request, row string, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	switch row {
	case "GET /v1/health":
		_, _ = io.WriteString(w, `{"status":"healthy"}`)
	case "POST /v1/user/login":
		if body["userID"] != "alice" || body["password"] != goodPassword || body["otp"] != "123456" {
			http.Error(w, "Invalid credentials", http.StatusUnauthorized)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "dcvix_session", Value: firstCookie, Path: "/", HttpOnly: true, Secure: true})
		_, _ = io.WriteString(w, `{}`)
	case "POST /v1/logout":
		http.SetCookie(w, &http.Cookie{Name: "dcvix_session", MaxAge: -1, Path: "/"})
	case "GET /v1/user/servers":
		_, _ = io.WriteString(w, `{"servers":["ws1","WS2.lab.example","ALLOW_CUSTOM"]}`)
	case "POST /v1/user/servers/{server}/config":
		text, _ := json.Marshal(body["config"])
		f.config = string(text)
		_, _ = io.WriteString(w, `{}`)
	case "POST /v1/user/sessions":
		assert.Contains(f.t, []any{"Console", "Virtual"}, body["sessionType"])
		_, _ = fmt.Fprintf(w, `{"sessionID":"dcvix_%s"}`, body["serverId"])
	case "GET /v1/user/connectiontoken":
		assert.Equal(f.t, "dcvix_"+r.URL.Query().Get("serverId"), r.URL.Query().Get("sessionId"))
		_, _ = io.WriteString(w, `{"token":"`+goodToken+`"}`)
	}
}

func (f *first) rows() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := slices.Clone(f.asked)
	f.asked = nil
	return rows
}

// engine is a launcher at that director.
func (f *first) engine(t *testing.T) (*launchercmd.Engine, string) {
	t.Helper()
	transport, ok := f.Client().Transport.(*http.Transport)
	require.True(t, ok)
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	t.Setenv("VIEWER_MODE", "")
	t.Setenv("VIEWER_RECORD", filepath.Join(dir, "record"))
	e, err := launchercmd.NewEngine(launchercmd.EngineConfig{
		Director: client.Config{URL: f.URL, TLS: transport.TLSClientConfig.Clone()}, Trust: launchercmd.TrustFile,
		Home: filepath.Join(dir, "home"), Folder: filepath.Join(dir, "folder"), Command: self, AskOTP: true,
	})
	require.NoError(t, err)
	t.Cleanup(e.End)
	return e, filepath.Join(dir, "record")
}

var firstLogin = dcvix.LoginRequest{UserID: "alice", Password: goodPassword, OTP: "123456"}

func TestADirectorOfThe01GenerationIsEnough(t *testing.T) {
	f := newFirst(t)
	e, record := f.engine(t)
	form, err := e.Reach(t.Context())
	require.NoError(t, err)
	assert.Equal(t, launchercmd.Form{OTP: true}, form, "the person's configuration asks for a code")

	err = e.Login(t.Context(), dcvix.LoginRequest{UserID: "alice", Password: "guess"})
	x := e.Explain(err)
	assert.Equal(t, launchercmd.TroubleLogin, x.Trouble)
	assert.Equal(t, "Invalid credentials.", x.Sentence, "its sentence is shown")
	require.NoError(t, e.Login(t.Context(), firstLogin))
	_ = f.rows()

	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	assert.True(t, list.Plain)
	assert.True(t, list.AnyHost)
	require.Len(t, list.Desktops, 2)
	assert.Equal(t, "WS2.lab.example", list.Desktops[1].Name)
	assert.True(t, list.Desktops[0].Openable(), "nothing speaks against it")
	assert.Empty(t, list.Desktops[0].StateText(nil))

	require.NoError(t, e.SetPreferences(launchercmd.Preferences{QualityMin: 30, QualityMax: 80}))
	_ = f.rows()
	require.NoError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Kind: dcvix.DesktopHost, Type: dcvix.SessionVirtual}))
	assert.Equal(t, []string{"POST /v1/user/sessions", "POST /v1/user/servers/{server}/config", "GET /v1/user/connectiontoken"}, f.rows())
	assert.JSONEq(t, `[{"section":"display","key":"quality","value":"(30, 80)"}]`, f.config)
	seen, err := os.ReadFile(record)
	require.NoError(t, err)
	_, file, _ := strings.Cut(string(seen), "\n")
	assert.Equal(t, "[version]\nformat=1.0\n\n[connect]\nhost=ws1\nport=8443\nwebport=8443\nquicport=8443\n"+
		"sessionid=dcvix_ws1\nauthtoken="+goodToken+"\nuser=alice\n", file)

	require.NoError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "elsewhere.example"}), "any other host")
	_, err = e.Close(t.Context(), "ws1", "")
	require.ErrorContains(t, err, "too old to say what runs where")

	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, e.Follow(ctx, func(u launchercmd.Update) {
		assert.NoError(t, u.Err)
		assert.False(t, u.Live)
		assert.Len(t, u.List.Desktops, 2)
		cancel()
	}))
	require.NoError(t, e.Logout(t.Context()))
	_, err = e.Desktops(t.Context())
	require.ErrorIs(t, err, launchercmd.ErrLoggedOut)
	assert.NotContains(t, strings.Join(f.probes, "\n"), "ws1", "features are looked for by their paths")
}

func TestWhatADirectorOfThe01GenerationSaysIsShown(t *testing.T) {
	f := newFirst(t)
	e, record := f.engine(t)
	require.NoError(t, e.Login(t.Context(), firstLogin))
	require.NoError(t, e.SetPreferences(launchercmd.Preferences{QualityMax: 80}))

	f.broken = "POST /v1/user/servers/{server}/config"
	var told []string
	require.NoError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Progress: func(s launchercmd.Step) { told = append(told, s.Text) }}))
	assert.Contains(t, told, "The picture quality stays as it is (it went wrong there)", "and that stops nobody")
	assert.FileExists(t, record)
	require.NoError(t, os.Remove(record))

	for _, f.broken = range []string{"POST /v1/user/sessions", "GET /v1/user/connectiontoken"} {
		x := e.Explain(e.Connect(t.Context(), launchercmd.Wish{Name: "ws1"}))
		assert.Equal(t, launchercmd.TroubleRefused, x.Trouble)
		assert.Equal(t, "It went wrong there.", x.Sentence)
		assert.NoFileExists(t, record)
	}
}

// TestAnswersOfStrangersAreNoDesktops puts all kinds of answers in the place of a
// director's.
func TestAnswersOfStrangersAreNoDesktops(t *testing.T) {
	for name, text := range map[string]string{
		"another shape":       `{"desktops":"many"}`,
		"cut":                 `{"desktops":[{"name":"ws1"`,
		"numbers":             `{"desktops":[{"name":1}]}`,
		"null":                `null`,
		"null desktops":       `{"desktops":null}`,
		"null in desktops":    `{"desktops":[null]}`,
		"a newer director":    `{"desktops":[{"kind":"cloud","name":"moon","state":"orbiting","types":["holo"],"extra":{}}],"more":1}`,
		"control characters":  `{"desktops":[{"kind":"host","name":"evil\u001b[2J\nws1","state":"a\u001bb","detail":"c\nd\u001b[2J"}]}`,
		"a name without end":  `{"desktops":[{"kind":"host","name":"` + strings.Repeat("x", 100_000) + `"}]}`,
		"the same name twice": `{"desktops":[{"kind":"host","name":"a"},{"kind":"host","name":"A"},{"kind":"pool","name":"a"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := scripted(t, map[string][]http.HandlerFunc{
				dcvix.PathUserDesktops: {func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, text)
				}},
			})
			list, err := e.Desktops(t.Context())
			if err != nil {
				assert.Equal(t, launchercmd.TroubleNotDirector, e.Explain(err).Trouble)
				return
			}
			assert.NotNil(t, list.Desktops)
			for _, d := range list.Desktops {
				shown := d.Label() + d.StateText(nil) + d.Detail
				assert.Equal(t, dcvix.OneLine(shown, 2000), shown, "it can be shown")
				assert.NotNil(t, d.Sessions)
				if strings.Contains(d.Name, "\x1b") || len(d.Name) > 253 {
					require.ErrorContains(t, e.Connect(t.Context(), launchercmd.Wish{Name: d.Name, Kind: d.Kind, Type: "console"}), "is no name of a desktop")
				}
			}
		})
	}
}

func TestTenThousandDesktopsAreListedAndSearched(t *testing.T) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("ws%05d.lab.example", i)
	}
	e, _ := scripted(t, map[string][]http.HandlerFunc{dcvix.PathUserDesktops: {answer(desktops(names...))}})
	list, err := e.Desktops(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Desktops, 10_000)
	assert.Equal(t, names[0], list.Desktops[0].Name, "the order of the policy")
	found := launchercmd.Search(list.Desktops, " LAB 00042 ready", nil)
	require.Len(t, found, 1)
	assert.Equal(t, names[42], found[0].Name)
	assert.Len(t, launchercmd.Search(list.Desktops, "", nil), 10_000)
	assert.Empty(t, launchercmd.Search(list.Desktops, "maintenance", nil))
	d, err := e.Invited(t.Context(), "WS09999")
	require.NoError(t, err)
	assert.Equal(t, names[9999], d.Name)
}

func BenchmarkListOf10000(b *testing.B) {
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("ws%05d.lab.example", i)
	}
	all := launchercmd.ListOf(desktops(names...))
	for name, text := range map[string]string{"a word": "ws00042", "a letter": "w", "no match": "zzz"} {
		b.Run("search "+name, func(b *testing.B) {
			for b.Loop() {
				launchercmd.Search(all.Desktops, text, nil)
			}
		})
	}
	b.Run("list", func(b *testing.B) {
		res := desktops(names...)
		for b.Loop() {
			launchercmd.ListOf(res)
		}
	})
}
