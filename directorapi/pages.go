package directorapi

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
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
		return s.serveAsset(c, name)
	}
	http.FileServerFS(s.cfg.UI).ServeHTTP(c.Response(), r)
	return nil
}

// serveAsset answers with a file, compressed when the client can read that and it is
// text. A part of a file is cut from the plain one.
func (s *Server) serveAsset(c echo.Context, name string) error {
	r, header := c.Request(), c.Response().Header()
	kind := mime.TypeByExtension(path.Ext(name))
	isText := strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "svg+xml")
	if isText {
		header.Add("Vary", "Accept-Encoding")
	}
	if !isText || r.Header.Get("Range") != "" || !acceptsGzip(r.Header) {
		http.FileServerFS(s.cfg.UI).ServeHTTP(c.Response(), r)
		return nil
	}
	zipped, err := s.zippedAsset(name)
	if err != nil {
		return err
	}
	header.Set("Content-Encoding", "gzip")
	header.Set("Content-Type", kind)
	header.Set("Content-Length", strconv.Itoa(len(zipped)))
	c.Response().WriteHeader(http.StatusOK)
	if r.Method == http.MethodGet {
		_, err = c.Response().Write(zipped)
	}
	return err
}

// zippedAsset compresses a file as well as can be, at the first time that somebody
// asks for it.
func (s *Server) zippedAsset(name string) ([]byte, error) {
	if kept, ok := s.zipped.Load(name); ok {
		return kept.([]byte), nil //nolint:forcetypeassert // nothing else is put there
	}
	plain, err := fs.ReadFile(s.cfg.UI, name)
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", name, err)
	}
	s.zipped.Store(name, zipped.Bytes())
	return zipped.Bytes(), nil
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
