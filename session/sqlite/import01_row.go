package sqlite

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// columns01 are the columns of a foreign table that say something, "" for those
// that it does not have.
type columns01 struct {
	guid, host, state, deleted, created, registered, seen, serial string
	keys                                                          []string
}

// list returns the columns in the order in which interpret takes them.
func (c columns01) list() []string {
	return append([]string{c.guid, c.host, c.state, c.deleted, c.created, c.registered, c.seen, c.serial}, c.keys...)
}

// maxKeys is how many columns of a table are looked at for keys.
const maxKeys = 16

// columnsOf finds the columns by their names, without regard to case and
// separators. guids are those that may be the GUID, the likeliest first.
func columnsOf(names []string) (columns columns01, guids []string) {
	plain := make(map[string]string, len(names))
	for _, name := range names {
		p := strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
		if _, twice := plain[p]; !twice {
			plain[p] = name
		}
		isKey := strings.Contains(p, "csr") || strings.Contains(p, "cert") || strings.Contains(p, "key") || strings.Contains(p, "pub")
		if isKey && !strings.Contains(p, "priv") && len(columns.keys) < maxKeys {
			columns.keys = append(columns.keys, name)
		}
	}
	first := func(names ...string) string {
		for _, name := range names {
			if found, ok := plain[name]; ok {
				return found
			}
		}
		return ""
	}
	columns.host = first("hostname", "host", "agenthostname", "agenthost", "name")
	columns.state = first("state", "status", "agentstate", "agentstatus")
	columns.deleted = first("deletedat", "deleted")
	columns.created = first("createdat", "created", "firstseenat", "firstseen")
	columns.registered = first("registeredat", "approvedat", "registered")
	columns.seen = first("lastseenat", "lastseen", "seenat")
	columns.serial = first("certserial", "certificateserial", "serialnumber", "serial")
	for _, name := range []string{"guid", "agentguid", "uuid", "agentuuid", "agentid", "id"} {
		if found, ok := plain[name]; ok {
			guids = append(guids, found)
		}
	}
	return columns, guids
}

// An entry is a row as we understand it: ID and Hostname are "" when they are
// none, the KeyHash is zero when the key is not known.
type entry struct {
	agent      session.Agent
	guid, host string // as found, bounded
}

// interpret reads a row, its values in the order of [columns01.list]. It returns
// false for one that is marked as deleted.
func interpret(values []any) (entry, bool) { // any: what a foreign table holds
	if isSet(values[3]) {
		return entry{}, false
	}
	e := entry{guid: bounded(text(values[0])), host: bounded(text(values[1]))}
	e.agent.State = stateOf(text(values[2]))
	e.agent.CreatedAt, e.agent.RegisteredAt, e.agent.LastSeenAt = timeOf(values[4]), timeOf(values[5]), timeOf(values[6])
	if id := dcvix.AgentID(strings.ToLower(strings.TrimSpace(text(values[0])))); id.Validate() == nil {
		e.agent.ID = id
		e.agent.KeyHash = keyOf(values[8:], id)
	}
	if host, err := dcvix.ParseHostname(strings.TrimSpace(text(values[1]))); err == nil {
		e.agent.Hostname = host
	}
	if serial := strings.ToLower(strings.TrimSpace(text(values[7]))); serialForm.MatchString(serial) {
		e.agent.Serial = serial
	}
	switch a := &e.agent; {
	case a.State == dcvix.AgentPending:
		a.RegisteredAt = time.Time{}
	case a.RegisteredAt.IsZero():
		a.RegisteredAt = a.CreatedAt
	case a.CreatedAt.IsZero():
		a.CreatedAt = a.RegisteredAt
	}
	return e, true
}

// serialForm is that of a serial number as we write it (RFC 5280 allows 20 bytes).
var serialForm = regexp.MustCompile(`^[0-9a-f]{1,40}$`)

// text returns what stands in a field as text, "" for what has none.
func text(value any) string { // any: see interpret
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// isSet says whether a mark of deletion is there: a time, or a number that is not 0.
func isSet(value any) bool { // any: see interpret
	switch v := value.(type) {
	case nil:
		return false
	case float64:
		return v != 0
	default:
		s := strings.ToLower(strings.TrimSpace(text(v)))
		return s != "" && s != "0" && s != "false" && !strings.HasPrefix(s, "0001-01-01")
	}
}

// stateOf reads a state. Whoever has one that we do not know waits for an admin.
func stateOf(name string) dcvix.AgentState {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "registered", "approved":
		return dcvix.AgentRegistered
	case "revoked":
		return dcvix.AgentRevoked
	}
	return dcvix.AgentPending
}

// timeOf reads a time as programs in Go leave it in SQLite: RFC 3339, with a
// space for the T, as time.Time prints itself, or as seconds or milliseconds since
// 1970. It returns the zero time for what is none, or not in this century.
func timeOf(value any) time.Time { // any: see interpret
	var at time.Time
	switch v := value.(type) {
	case int64:
		at = sinceEpoch(v)
	case float64:
		at = sinceEpoch(int64(v))
	default:
		at = parseTime(strings.TrimSpace(text(v)))
	}
	if at = at.Truncate(time.Millisecond); at.Year() < 2000 || at.Year() >= 2100 {
		return time.Time{}
	}
	return time.UnixMilli(at.UnixMilli())
}

// sinceEpoch takes for milliseconds what would be after the year 5000 in seconds.
func sinceEpoch(n int64) time.Time {
	if n >= 1e11 {
		return time.UnixMilli(n)
	}
	return time.Unix(n, 0)
}

func parseTime(s string) time.Time {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return sinceEpoch(n)
	}
	s, _, _ = strings.Cut(s, " m=") // the monotonic clock, as time.Time prints it
	for _, layout := range []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700 MST", "2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04", time.DateOnly,
	} {
		if at, err := time.Parse(layout, s); err == nil {
			return at
		}
	}
	return time.Time{}
}

// bounded keeps what is told about an entry from filling a log.
func bounded(s string) string {
	const most = 256
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}
