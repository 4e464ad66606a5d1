package directorapi

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// listHosts is list for what is made of the hosts of one page. Whether the client
// has it is known before it is made.
func (s *Server) listHosts(c echo.Context, list func([]session.Host) any) error { // any: as encoding/json
	hosts := s.cfg.Broker.Hosts()
	tag := s.view.tag(hosts)
	hosts, err := page(c, hosts)
	if err != nil {
		return err
	}
	if notModified(c, tag) {
		return c.NoContent(http.StatusNotModified)
	}
	body, err := json.Marshal(list(hosts))
	if err != nil {
		return err
	}
	return s.sendList(c, append(body, '\n'))
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

// A hostView gives each state of all hosts a tag of its own without looking into
// what they report: the hosts that a broker hands out never change, so what is at
// the same place is the same. The zero value is ready to use.
type hostView struct {
	mu    sync.Mutex
	last  []session.Host
	name  string // of this director's run
	count uint64
}

// tag returns the tag of the hosts: that of the last time when they are the same.
func (v *hostView) tag(hosts []session.Host) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.name == "" {
		v.name = rand.Text()
	}
	if v.count == 0 || !slices.EqualFunc(v.last, hosts, sameHost) {
		v.count++
		v.last = hosts
	}
	return weakTag(fmt.Sprintf("%s.%d", v.name, v.count))
}

// sameHost says whether two hosts are certainly the same.
func sameHost(a, b session.Host) bool {
	return a.Agent == b.Agent && a.Name == b.Name && a.Address == b.Address && a.DCVPort == b.DCVPort &&
		a.Stats == b.Stats && a.Flags == b.Flags && a.Version == b.Version && a.LastSeen.Equal(b.LastSeen) && a.Silent == b.Silent &&
		a.Licence == b.Licence && samePlace(a.Tags, b.Tags) && samePlace(a.Problems, b.Problems) &&
		samePlace(a.GPUs, b.GPUs) && samePlace(a.Sessions, b.Sessions)
}

func samePlace[T any](a, b []T) bool { // any: the elements are not looked at
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// The pages of a list of hosts.
const maxPage = 10_000

// page returns the hosts after the one that the query names, as many as it says,
// and links to the next page when there is one (RFC 8288). Without a query it
// returns all.
func page(c echo.Context, hosts []session.Host) ([]session.Host, error) {
	if after := c.QueryParam("after"); after != "" {
		from, found := slices.BinarySearchFunc(hosts, after, func(h session.Host, name string) int { return strings.Compare(string(h.Name), name) })
		if found {
			from++
		}
		hosts = hosts[from:]
	}
	asked := c.QueryParam("limit")
	if asked == "" {
		return hosts, nil
	}
	limit, err := strconv.Atoi(asked)
	if err != nil || limit < 1 || limit > maxPage {
		return nil, malformed("The limit is a number from 1 to %d.", maxPage)
	}
	if limit >= len(hosts) {
		return hosts, nil
	}
	next := url.Values{"after": {string(hosts[limit-1].Name)}, "limit": {asked}}
	c.Response().Header().Set("Link", fmt.Sprintf(`<?%s>; rel="next"`, next.Encode()))
	return hosts[:limit], nil
}
