package directorapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/labstack/echo/v4"

	"github.com/dcvix/dcvix/session"
)

// minZipped is how long a list is at least that is worth compressing.
const minZipped = 1 << 10

// list answers a GET with JSON that a client may keep and ask for again: 304 when
// it has what the tag of the answer stands for.
func (s *Server) list(c echo.Context, v any) error { // any: as encoding/json
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		return err
	}
	sum := sha256.Sum256(body.Bytes())
	if notModified(c, weakTag(base64.RawURLEncoding.EncodeToString(sum[:16]))) {
		return c.NoContent(http.StatusNotModified)
	}
	return s.sendList(c, body.Bytes())
}

// sendList sends a list, compressed when the client can read that. Lists have no
// secrets, which compression could give away.
func (s *Server) sendList(c echo.Context, body []byte) error {
	if len(body) < minZipped || !acceptsGzip(c.Request().Header) {
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, body)
	}
	zipped, err := s.zip(body)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Encoding", "gzip")
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, zipped)
}

// listHosts is list for what the texts say of each host of one page. Whether the client
// has it is known without a look at the hosts.
func (s *Server) listHosts(c echo.Context, texts *hostTexts) error {
	asked, err := readPage(c)
	if err != nil {
		return err
	}
	tag := weakTag(fmt.Sprintf("%s.%d", s.run, s.cfg.Broker.HostsRevision())) // before the hosts: it is never newer
	if notModified(c, tag) {
		return c.NoContent(http.StatusNotModified)
	}
	hosts := s.cfg.Broker.Hosts()
	body, err := texts.list(asked.of(c, hosts), len(hosts))
	if err != nil {
		return err
	}
	return s.sendList(c, body)
}

// notModified sets the headers of a list, and says whether the client has what the
// tag stands for.
func notModified(c echo.Context, tag string) bool {
	header := c.Response().Header()
	header.Set("Cache-Control", "private, no-cache") // to be asked for each time
	header.Add("Vary", "Accept-Encoding")
	header.Set("Etag", tag)
	return slices.ContainsFunc(strings.Split(c.Request().Header.Get("If-None-Match"), ","), func(has string) bool {
		return strings.TrimSpace(has) == tag
	})
}

// weakTag returns an ETag that says nothing of how the content is encoded
// (RFC 9110, 8.8.1).
func weakTag(opaque string) string { return `W/"` + opaque + `"` }

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3), as far as to tell gzip with
// any weight but 0.
func acceptsGzip(header http.Header) bool {
	for coding := range strings.SplitSeq(header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, weighed := strings.Cut(weight, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !weighed || err == nil && value > 0
	}
	return false
}

// zip compresses with the least effort.
func (s *Server) zip(plain []byte) ([]byte, error) {
	var zipped bytes.Buffer
	w, ok := s.zippers.Get().(*gzip.Writer)
	if !ok {
		w, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that there is
	}
	defer s.zippers.Put(w)
	w.Reset(&zipped)
	_, err := w.Write(plain)
	if err == nil {
		err = w.Close()
	}
	return zipped.Bytes(), err
}

// A page is a part of a list of hosts. The zero value is all of it.
type page struct {
	after string // hosts with this name or one before are not in it
	limit int    // how many hosts are in it at most; 0 means all
}

// maxPage is the largest limit.
const maxPage = 10_000

// readPage returns the page that the query asks for.
func readPage(c echo.Context) (page, error) {
	p := page{after: c.QueryParam("after")}
	asked := c.QueryParam("limit")
	if asked == "" {
		return p, nil
	}
	var err error
	if p.limit, err = strconv.Atoi(asked); err != nil || p.limit < 1 || p.limit > maxPage {
		return page{}, malformed("The limit is a number from 1 to %d.", maxPage)
	}
	return p, nil
}

// of returns the hosts of the page, and links to the next page when there is one
// (RFC 8288).
func (p page) of(c echo.Context, hosts []session.Host) []session.Host {
	if p.after != "" {
		from, found := slices.BinarySearchFunc(hosts, p.after, func(h session.Host, name string) int { return strings.Compare(string(h.Name), name) })
		if found {
			from++
		}
		hosts = hosts[from:]
	}
	if p.limit == 0 || p.limit >= len(hosts) {
		return hosts
	}
	next := url.Values{"after": {string(hosts[p.limit-1].Name)}, "limit": {strconv.Itoa(p.limit)}}
	c.Response().Header().Set("Link", fmt.Sprintf(`<?%s>; rel="next"`, next.Encode()))
	return hosts[:p.limit]
}
