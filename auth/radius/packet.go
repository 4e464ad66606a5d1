package radius

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol is made of it (RFC 3579 section 3.2)
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/rfc3162"

	"github.com/dcvix/dcvix"
)

// Where things are in a packet (RFC 2865 section 3).
const (
	lengthAt        = 2
	authenticatorAt = 4
	attributesAt    = 20
)

// Bounds on the groups of one login.
const (
	maxGroups     = 64
	maxGroupBytes = 4 << 10
)

// What is wrong with an answer, in the order of how much it tells: a later one
// is said rather than an earlier one. The sentences are for the operator.
var (
	errUnreachable = errors.New("it cannot be reached: check that it runs and that radius_server and radius_port name it")

	errSilent   = errors.New("it does not answer. A server also stays silent when it has another secret for this director (radius_secret) or does not know its address: compare both, then look at the firewall")
	errGarbled  = errors.New("its answers are no RADIUS: check that radius_server and radius_port name the authentication port of a RADIUS server")
	errSecret   = errors.New("its answers were not made with our secret: write the one that the server has for this director as radius_secret")
	errForged   = errors.New("its answers have a wrong Message-Authenticator: somebody changes them on the way, or the server is broken")
	errUnsigned = errors.New("its answers have no Message-Authenticator, so that anybody on the way could forge them: make the server sign them (update it), or set radius_require_message_authenticator = false on a network you trust")
)

// weightier returns the error that tells an operator more.
func weightier(x, y error) error {
	order := []error{errSilent, errGarbled, errSecret, errForged, errUnsigned}
	if slices.Index(order, y) > slices.Index(order, x) {
		return y
	}
	return x
}

// accessRequest says who logs in and who asks. Service-Type is Login-User: a
// person is connected to a host, and unlike Authenticate-Only it lets a server
// send a name and groups along.
func (b *Backend) accessRequest(q question, local net.Addr) (*radius.Packet, error) {
	p := radius.New(radius.CodeAccessRequest, []byte(b.cfg.Secret))
	errs := []error{
		rfc2865.UserName_SetString(p, q.user),
		rfc2865.UserPassword_SetString(p, string(q.answer)),
		rfc2865.ServiceType_Set(p, rfc2865.ServiceType_Value_LoginUser),
		rfc2865.NASPortType_Set(p, rfc2865.NASPortType_Value_Virtual),
		rfc2865.NASIdentifier_SetString(p, b.cfg.NASIdentifier),
	}
	if udp, ok := local.(*net.UDPAddr); ok {
		if v4 := udp.IP.To4(); v4 != nil {
			errs = append(errs, rfc2865.NASIPAddress_Set(p, v4))
		} else {
			errs = append(errs, rfc3162.NASIPv6Address_Set(p, udp.IP))
		}
	}
	if len(q.state) > 0 {
		errs = append(errs, rfc2865.State_Set(p, q.state))
	}
	return p, errors.Join(errs...)
}

// A request is a packet as it was sent, which its answer has to fit to.
type request struct {
	packet *radius.Packet
	wire   []byte
	strict bool // answers need a Message-Authenticator
}

// sign puts a Message-Authenticator before everything else and returns what is
// to be sent. It is the first attribute so that a forger's prefix cannot come
// before it (CVE-2024-3596).
func sign(p *radius.Packet) ([]byte, error) {
	first := &radius.AVP{Type: rfc2869.MessageAuthenticator_Type, Attribute: make([]byte, md5.Size)}
	p.Attributes = append(radius.Attributes{first}, p.Attributes...)
	wire, err := p.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("radius request: %w", err)
	}
	copy(wire[attributesAt+2:], messageAuthenticator(wire, p.Secret))
	return wire, nil
}

// messageAuthenticator computes over a packet in which the attribute is zero.
func messageAuthenticator(packet, secret []byte) []byte {
	h := hmac.New(md5.New, secret)
	_, _ = h.Write(packet) // a hash takes everything
	return h.Sum(nil)
}

// open returns the answer in a datagram, or what is wrong with it.
func (r *request) open(datagram []byte) (*radius.Packet, error) {
	reply, err := radius.Parse(datagram, r.packet.Secret)
	if err != nil {
		return nil, errGarbled
	}
	// What comes after the length is padding (RFC 2865 section 3).
	datagram = datagram[:binary.BigEndian.Uint16(datagram[lengthAt:])]
	switch reply.Code {
	case radius.CodeAccessAccept, radius.CodeAccessReject, radius.CodeAccessChallenge:
	default:
		return nil, errGarbled
	}
	if reply.Identifier != r.packet.Identifier {
		return nil, errGarbled
	}
	if !radius.IsAuthenticResponse(datagram, r.wire, r.packet.Secret) {
		return nil, errSecret
	}
	if err := r.checkSignature(datagram, reply); err != nil {
		return nil, err
	}
	return reply, nil
}

// checkSignature checks the Message-Authenticator of an answer: exactly one, of
// 16 bytes, made with the authenticator of the request (RFC 3579 section 3.2).
func (r *request) checkSignature(datagram []byte, reply *radius.Packet) error {
	at, found, size := attributesAt, 0, 0
	for next, i := attributesAt, 0; i < len(reply.Attributes); i++ {
		attribute := reply.Attributes[i]
		if attribute.Type == rfc2869.MessageAuthenticator_Type {
			found, at, size = found+1, next+2, len(attribute.Attribute)
		}
		next += 2 + len(attribute.Attribute)
	}
	switch {
	case found == 0 && r.strict:
		return errUnsigned
	case found == 0:
		return nil
	case found > 1, size != md5.Size:
		return errForged
	}
	blank := bytes.Clone(datagram)
	copy(blank[authenticatorAt:], r.packet.Authenticator[:])
	clear(blank[at : at+md5.Size])
	if !hmac.Equal(messageAuthenticator(blank, r.packet.Secret), datagram[at:at+md5.Size]) {
		return errForged
	}
	return nil
}

// canonicalName returns the User-Name of an acceptance (RFC 2865 section 5.1),
// or the typed one when there is none, several, or none that is valid.
func canonicalName(reply *radius.Packet, typed string) dcvix.Username {
	names, err := rfc2865.UserName_GetStrings(reply)
	if err == nil && len(names) == 1 && dcvix.Username(names[0]).Validate() == nil {
		return dcvix.Username(names[0])
	}
	return dcvix.Username(typed)
}

// groupsOf returns the Filter-Id attributes of an acceptance, each once, and how
// many were left out. Class is not looked at: it is the server's own, and a
// client must not interpret it (RFC 2865 section 5.25).
func groupsOf(reply *radius.Packet) (groups []string, left int) {
	names, err := rfc2865.FilterID_GetStrings(reply)
	if err != nil {
		return nil, 1
	}
	size := 0
	for _, name := range names {
		switch {
		case slices.Contains(groups, name):
		case name == "", !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl),
			len(groups) == maxGroups, size+len(name) > maxGroupBytes:
			left++
		default:
			groups, size = append(groups, name), size+len(name)
		}
	}
	return groups, left
}
