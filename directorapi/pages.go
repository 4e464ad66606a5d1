package directorapi

import (
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/labstack/echo/v4"
)

// contentSecurity lets pages load nothing from elsewhere. Inline styles are
// allowed because the component library sets element styles.
const contentSecurity = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"

// orPages answers with a page what no route takes. The router's own answer to a
// wrong method stays: it is no missing route.
func (s *Server) orPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := next(c); !errors.Is(err, echo.ErrNotFound) {
			return err
		}
		return s.servePages(c)
	}
}

// servePages answers below /v1/ with an error, else with the file of that name.
func (s *Server) servePages(c echo.Context) error {
	r := c.Request()
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "v1" || strings.HasPrefix(name, "v1/") {
		return echo.ErrNotFound
	}
	if !s.hasPage(name) {
		return echo.ErrNotFound
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		c.Set(echo.ContextKeyHeaderAllow, "GET, HEAD")
		return echo.ErrMethodNotAllowed
	}
	header := c.Response().Header()
	header.Set("Content-Security-Policy", contentSecurity)
	header.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") { // their names carry a hash of their content
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.FileServerFS(s.cfg.UI).ServeHTTP(c.Response(), r)
	return nil
}

// hasPage says whether there is a file, or a folder with an index.
func (s *Server) hasPage(name string) bool {
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(s.cfg.UI, name)
	if err == nil && info.IsDir() {
		_, err = fs.Stat(s.cfg.UI, path.Join(name, "index.html"))
	}
	return err == nil
}
