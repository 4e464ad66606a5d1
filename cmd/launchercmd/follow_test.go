package launchercmd_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi/client"
)

// A script answers each call of a path with the next of its handlers, and then with the
// last for ever. It is the director of tests in virtual time.
type script struct {
	mu    sync.Mutex
	paths map[string][]http.HandlerFunc
	calls map[string]int
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	handlers := s.paths[r.URL.Path]
	n := s.calls[r.URL.Path]
	s.calls[r.URL.Path]++
	s.mu.Unlock()
	if len(handlers) == 0 || handlers[min(n, len(handlers)-1)] == nil {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	handlers[min(n, len(handlers)-1)](w, r)
	return w.Result(), nil
}

func (s *script) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

func scripted(t *testing.T, paths map[string][]http.HandlerFunc) (*launchercmd.Engine, *script) {
	t.Helper()
	s := &script{paths: paths, calls: map[string]int{}}
	e, err := launchercmd.NewEngine(launchercmd.EngineConfig{
		Director: client.Config{URL: "https://director.example", Transport: s},
		Folder:   filepath.Join(t.TempDir(), "folder"), PollEvery: 10 * time.Second,
	})
	require.NoError(t, err)
	return e, s
}

func page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprint(w, "<html>0.1</html>")
}

func answer(v any) http.HandlerFunc { // any: as encoding/json
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

func refusal(status int, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(dcvix.Problem{Status: status, Detail: detail})
	}
}

// stream brings one list and ends.
func stream(names ...string) http.HandlerFunc {
	var res dcvix.DesktopsResponse
	for _, name := range names {
		res.Desktops = append(res.Desktops, dcvix.Desktop{Kind: dcvix.DesktopHost, Name: name, State: "ready"})
	}
	data, _ := json.Marshal(res)
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprintf(w, "event: resync\ndata: {}\n\nevent: something-new\ndata: {}\n\nevent: desktops\ndata: %s\n\n", data)
	}
}

// said is an update in a few words.
func said(u launchercmd.Update) string {
	if u.Err != nil {
		return "error"
	}
	var names []string
	for _, d := range u.List.Desktops {
		names = append(names, d.Name)
	}
	return fmt.Sprintf("%v %s", u.Live, strings.Join(names, ","))
}

// followed returns what Follow said within a time, and how it ended, which is "goes on"
// when it did not.
func followed(t *testing.T, e *launchercmd.Engine, d time.Duration) (all []string, end string) {
	t.Helper()
	updates, stop := make(chan launchercmd.Update, 1000), make(chan error, 1)
	go func() { stop <- e.Follow(t.Context(), func(u launchercmd.Update) { updates <- u }) }()
	time.Sleep(d) // virtual
	synctest.Wait()
	for len(updates) > 0 {
		all = append(all, said(<-updates))
	}
	select {
	case err := <-stop:
		return all, e.Explain(err).Sentence
	default:
		return all, "goes on"
	}
}

func TestFollowingOutlastsWhatHappensToDirectors(t *testing.T) {
	tests := map[string]struct {
		paths map[string][]http.HandlerFunc
		want  []string
		end   string
	}{
		"a stream that ends is taken up again": {
			paths: map[string][]http.HandlerFunc{dcvix.PathEvents: {stream("a"), stream("b"), nil}},
			want:  []string{"true a", "true b", "error", "error", "error"},
		},
		"a director that restarts": {
			paths: map[string][]http.HandlerFunc{dcvix.PathEvents: {stream("a"), nil, refusal(503, "Starting."), stream("b"), refusal(401, "Log in first.")}},
			want:  []string{"true a", "error", "error", "true b"}, end: "Your login has ended: enter your password again.",
		},
		"one stream too many": {
			paths: map[string][]http.HandlerFunc{dcvix.PathEvents: {refusal(429, "Too many.")}, dcvix.PathUserDesktops: {answer(desktops("x"))}},
			want:  []string{"false x", "false x", "false x", "false x", "false x"},
		},
		"a director of the 0.1 generation is asked again": {
			paths: map[string][]http.HandlerFunc{
				dcvix.PathEvents: {page}, dcvix.PathUserDesktops: {page},
				dcvix.PathUserServers: {answer(dcvix.ServersResponse{Servers: []string{"a"}}), answer(dcvix.ServersResponse{Servers: []string{"a", "b"}})},
			},
			want: []string{"false a", "false a,b", "false a,b"},
		},
		"a login of the 0.1 generation that ran out": {
			paths: map[string][]http.HandlerFunc{dcvix.PathEvents: {page}, dcvix.PathUserDesktops: {page}, dcvix.PathUserServers: {refusal(401, "x")}},
			end:   "Your login has ended: enter your password again.",
		},
		"garbage": {
			paths: map[string][]http.HandlerFunc{dcvix.PathEvents: {garbage}},
			want:  []string{"error", "error", "error", "error", "error"},
		},
		"a list that became empty has its reason": {
			paths: map[string][]http.HandlerFunc{
				dcvix.PathEvents: {stream()}, dcvix.PathUserDesktops: {answer(dcvix.DesktopsResponse{})},
				dcvix.PathUserServers: {answer(dcvix.ServersResponse{Reason: "Nobody gave you one."})},
			},
			want: []string{"true "},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, s := scripted(t, tt.paths)
				all, end := followed(t, e, 25*time.Second)
				if tt.end == "" {
					tt.end = "goes on"
				}
				require.GreaterOrEqual(t, len(all), len(tt.want), "%v", all)
				assert.Equal(t, tt.want, all[:len(tt.want)])
				assert.Equal(t, tt.end, end)
				assert.Less(t, s.count(dcvix.PathEvents), 30, "once a second at most")
			})
		})
	}
}

func garbage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = fmt.Fprint(w, "event: desktops\ndata: {\"desktops\":[[[\n\n")
}

func desktops(names ...string) dcvix.DesktopsResponse {
	var res dcvix.DesktopsResponse
	for _, name := range names {
		res.Desktops = append(res.Desktops, dcvix.Desktop{Kind: dcvix.DesktopHost, Name: name, State: "ready"})
	}
	return res
}

func TestNothingIsSaidAfterFollowingWasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := scripted(t, map[string][]http.HandlerFunc{dcvix.PathEvents: {nil}})
		updates, stop := follow(t, e)
		time.Sleep(100 * time.Second)
		require.NoError(t, stop(), "the end that was asked for")
		n := len(updates)
		assert.InDelta(t, 7, n, 1, "1 s, 2 s, 4 s, … up to 30 s")
	})
}

func TestALongWaitIsSaidToGoOn(t *testing.T) {
	slow := func(d time.Duration, then http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { time.Sleep(d); then(w, r) }
	}
	in := func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: dcvix.CookieName, Value: "x"})
		answer(struct{}{})(w, r)
	}
	for name, tt := range map[string]struct {
		wait time.Duration
		says int
	}{"a short one": {time.Second, 1}, "a long one": {40 * time.Second, 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := new(steps)
				s := &script{calls: map[string]int{}, paths: map[string][]http.HandlerFunc{
					dcvix.PathUserLogin: {slow(tt.wait, in)}, dcvix.PathUserSessions: {slow(tt.wait, refusal(409, "No."))},
				}}
				self, err := os.Executable()
				require.NoError(t, err)
				e, err := launchercmd.NewEngine(launchercmd.EngineConfig{
					Director: client.Config{URL: "https://director.example", Transport: s}, Folder: filepath.Join(t.TempDir(), "folder"),
					Command: self, Progress: told.add,
				})
				require.NoError(t, err)
				require.NoError(t, e.Login(t.Context(), alice))
				assert.Len(t, told.said(), tt.says)
				require.EqualError(t, e.Connect(t.Context(), launchercmd.Wish{Name: "ws1", Kind: dcvix.DesktopHost, Type: dcvix.SessionConsole}), "No.")
				assert.Len(t, told.said(), 2*tt.says, "%v", told.said())
			})
		})
	}
}
