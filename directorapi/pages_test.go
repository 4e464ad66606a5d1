package directorapi_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

func TestPages(t *testing.T) {
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.UI = fstest.MapFS{
			"index.html": {Data: []byte("portal")}, "admin/index.html": {Data: []byte("console")},
			"assets/a-1f2e.js": {Data: []byte("script")}, "assets/img/x.svg": {Data: []byte("<svg/>")},
			"v1/index.html": {Data: []byte("in the way of the API")},
		}
	}))
	tests := map[string]struct {
		method, path string
		want         int
		body, cache  string
	}{
		"the portal":             {"GET", "/", 200, "portal", "no-cache"},
		"the console":            {"GET", "/admin/", 200, "console", "no-cache"},
		"an asset":               {"GET", "/assets/a-1f2e.js", 200, "script", "public, max-age=31536000, immutable"},
		"no list of a folder":    {"GET", "/assets/", 404, "There is nothing at this address.", "no-store"},
		"nothing":                {"GET", "/nothing.js", 404, "There is nothing at this address.", "no-store"},
		"up and out":             {"GET", "/..%2f..%2fetc/passwd", 404, "There is nothing at this address.", "no-store"},
		"the API is no page":     {"GET", "/v1/index.html", 404, "There is nothing at this address.", "no-store"},
		"a wrong method is none": {"PUT", "/v1/health", 405, "This address does not take this method.", "no-store"},
		"nor for an agent":       {"GET", "/v1/agent/update", 405, "This address does not take this method.", "no-store"},
		"a page takes no post":   {"POST", "/", 405, "This address does not take this method.", "no-store"},
		"a head without a body":  {"HEAD", "/", 200, "", "no-cache"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := anybody(s).send(t, tt.method, tt.path, nil)
			assert.Equal(t, tt.want, r.status)
			assert.Equal(t, tt.body, r.body)
			assert.Equal(t, tt.cache, r.header.Get("Cache-Control"))
			assert.Equal(t, "nosniff", r.header.Get("X-Content-Type-Options"))
			assert.Equal(t, "no-referrer", r.header.Get("Referrer-Policy"))
			if tt.want == 200 {
				assert.Contains(t, r.header.Get("Content-Security-Policy"), "script-src 'self';")
				assert.Contains(t, r.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			}
		})
	}
}

func TestAssetsAreCompressedForThoseWhoCanReadThat(t *testing.T) {
	script := strings.Repeat("console.log('dcvix');\n", 100)
	s := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.UI = fstest.MapFS{
			"index.html": {Data: []byte(script)}, "assets/a.js": {Data: []byte(script)}, "assets/a.css": {Data: []byte(script)},
			"assets/a.svg": {Data: []byte(script)}, "assets/a.png": {Data: []byte(script)},
		}
	}))
	tests := map[string]struct {
		method, path, accept, rang string
		zipped                     bool
		vary                       string
	}{
		"a script":                   {"GET", "/assets/a.js", "gzip, br", "", true, "Accept-Encoding"},
		"a script again":             {"GET", "/assets/a.js", "gzip", "", true, "Accept-Encoding"},
		"styles":                     {"GET", "/assets/a.css", "br;q=1, gzip;q=0.5", "", true, "Accept-Encoding"},
		"a drawing":                  {"GET", "/assets/a.svg", "gzip", "", true, "Accept-Encoding"},
		"only its head":              {"HEAD", "/assets/a.js", "gzip", "", true, "Accept-Encoding"},
		"for who cannot read it":     {"GET", "/assets/a.js", "", "", false, "Accept-Encoding"},
		"for who does not want it":   {"GET", "/assets/a.js", "gzip;q=0", "", false, "Accept-Encoding"},
		"a part of it":               {"GET", "/assets/a.js", "gzip", "bytes=0-6", false, "Accept-Encoding"},
		"a picture is so already":    {"GET", "/assets/a.png", "gzip", "", false, ""},
		"a document is short anyway": {"GET", "/", "gzip", "", false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			who := anybody(s)
			who.header = map[string]string{"Accept-Encoding": tt.accept}
			if tt.rang != "" {
				who.header["Range"] = tt.rang
			}
			r := who.send(t, tt.method, tt.path, nil)
			assert.Equal(t, tt.zipped, r.header.Get("Content-Encoding") == "gzip")
			assert.Equal(t, tt.vary, r.header.Get("Vary"))
			body := r.body
			if tt.zipped && tt.method == "GET" {
				assert.Less(t, len(body), len(script)/5)
				plain, err := gzip.NewReader(strings.NewReader(body))
				require.NoError(t, err)
				text, err := io.ReadAll(plain)
				require.NoError(t, err)
				body = string(text)
			}
			switch {
			case tt.method == "HEAD":
				assert.Empty(t, body)
			case tt.rang != "":
				assert.Equal(t, http.StatusPartialContent, r.status)
				assert.Equal(t, "console", body)
			default:
				assert.Equal(t, script, body)
			}
		})
	}
}

func TestUsersMountBelowAPrefixAndServeNoAgent(t *testing.T) {
	s := directorapitest.NewServer(t)
	var api *directorapi.Server
	var err error
	directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Broker = s.Broker
		c.UI = fstest.MapFS{"index.html": {Data: []byte("portal")}, "admin/index.html": {Data: []byte("console")}}
		api, err = directorapi.New(*c)
	}))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/desktops/", http.StripPrefix("/desktops", api.Users()))
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		return w
	}
	assert.Equal(t, "portal", get("GET", "/desktops/").Body.String())
	assert.Equal(t, 200, get("GET", "/desktops/v1/health").Code)
	assert.Equal(t, 404, get("POST", "/desktops/v1/agent/register").Code, "agents have a listener of their own")
	redirect := get("GET", "/desktops/admin")
	assert.Equal(t, http.StatusMovedPermanently, redirect.Code)
	assert.Equal(t, "admin/", redirect.Header().Get("Location"), "relative, so that the prefix stays")

	w := httptest.NewRecorder()
	api.Agents().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/v1/user/login", http.NoBody))
	assert.Equal(t, 404, w.Code, "people have theirs")
}
