package launchercmd

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// linkScheme begins the links that a web page may use to start this program.
const linkScheme = "dcvix"

// maxLink bounds a link, in bytes.
const maxLink = 1024

func isLink(word string) bool {
	return len(word) > len(linkScheme) && strings.EqualFold(word[:len(linkScheme)+1], linkScheme+":")
}

// ParseLink returns the name of the desktop that a dcvix://connect/NAME link asks for,
// NAME being percent-encoded as a segment of a path is (RFC 3986). Anybody can make
// such a link, so it can say nothing else: no user, port, query or further segment.
func ParseLink(link string) (name string, err error) { return parseLink(link, nil) }

func parseLink(link string, w *words.Words) (name string, err error) {
	bad := &saidError{text: w.Say(words.BadLink, fmt.Sprintf("%.300q", link))}
	if len(link) > maxLink || !isLink(link) {
		return "", bad
	}
	u, err := url.Parse(link)
	if err != nil || !strings.EqualFold(u.Host, "connect") || u.User != nil || u.Opaque != "" ||
		u.RawQuery != "" || u.ForceQuery || strings.Contains(link, "#") {
		return "", bad
	}
	segment, ok := strings.CutPrefix(u.EscapedPath(), "/")
	segment = strings.TrimSuffix(segment, "/") // some browsers add it
	if !ok || strings.Contains(segment, "/") {
		return "", bad
	}
	name, err = url.PathUnescape(segment)
	if err != nil || checkName("", name, w) != nil {
		return "", bad
	}
	return name, nil
}

// Invited returns the desktop that a link asks for by name, if it is among the
// person's own: a link never leads to a host that could be named freely. Ask the
// person before it is opened.
func (e *Engine) Invited(ctx context.Context, name string) (Desktop, error) {
	list, err := e.Desktops(ctx)
	if err != nil {
		return Desktop{}, err
	}
	d, ok := list.find("", name)
	if !ok {
		return Desktop{}, &saidError{text: e.words().Say(words.NotYours, show(name))}
	}
	return d, nil
}
