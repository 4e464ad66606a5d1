package directorapi

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/dcvix/dcvix"
)

// A jsonText is JSON in the making. It writes servers and sessions as encoding/json
// does, to the byte, in a quarter of the time: lists have thousands of them. The
// zero value is empty and ready to use.
type jsonText struct {
	bytes []byte
	err   error // the first, of a value that JSON has no form for
}

// list writes n elements as an array.
func (j *jsonText) list(n int, element func(i int)) {
	j.open('[')
	for i := range n {
		element(i)
	}
	j.close(']')
}

func (j *jsonText) server(s *dcvix.Server) {
	j.open('{')
	j.stats(&s.Stats)
	j.key("agent_ip").text(s.AgentIP)
	j.key("tags").rest(s.Tags)
	j.key("last-seen").moment(s.LastSeen)
	j.key("sessions").list(len(s.Sessions), func(i int) { j.session(&s.Sessions[i]) })
	if len(s.Problems) > 0 {
		j.key("problems").rest(s.Problems)
	}
	if len(s.GPUs) > 0 {
		j.key("gpus").list(len(s.GPUs), func(i int) { j.gpu(&s.GPUs[i]) })
	}
	if s.Licence != nil {
		j.key("licence").rest(s.Licence)
	}
	if s.GUID != "" {
		j.key("guid").text(string(s.GUID))
	}
	if s.Version != "" {
		j.key("version").text(s.Version)
	}
	if s.Silent {
		j.key("silent").rest(true)
	}
	if s.Maintenance != nil {
		j.key("maintenance").rest(s.Maintenance)
	}
	j.close('}')
}

func (j *jsonText) stats(s *dcvix.Stats) {
	j.key("hostname").text(s.Hostname)
	j.key("free_memory").count(s.FreeMemory)
	j.key("total_memory").count(s.TotalMemory)
	j.key("cores").number(s.Cores)
	j.key("cpu_usage").figure(s.CPUUsage)
	j.key("load1").figure(s.Load1)
	j.key("load5").figure(s.Load5)
	j.key("load15").figure(s.Load15)
}

func (j *jsonText) gpu(g *dcvix.GPU) {
	j.open('{')
	j.key("index").number(g.Index)
	j.key("model").text(g.Model)
	j.key("driver").text(g.Driver)
	j.key("usage").figure(g.Usage)
	j.key("encoder_usage").figure(g.EncoderUsage)
	j.key("used_memory").count(g.UsedMemory)
	j.key("total_memory").count(g.TotalMemory)
	j.key("temperature").figure(g.Temperature)
	j.close('}')
}

func (j *jsonText) session(s *dcvix.Session) {
	j.open('{')
	j.key("id").text(string(s.ID))
	j.key("owner").text(string(s.Owner))
	j.key("user").text(s.User)
	j.key("num-of-connections").number(s.NumOfConnections)
	j.key("creation-time").moment(s.CreationTime)
	j.key("last-disconnection-time").moment(s.LastDisconnectionTime)
	j.key("licensing-mode").text(s.LicensingMode)
	j.key("storage-root").text(s.StorageRoot)
	j.key("type").text(string(s.Type))
	j.key("status").text(s.Status)
	j.key("x11-display").text(s.X11Display)
	j.key("x11-authority").text(s.X11Authority)
	if s.UID != "" {
		j.key("uid").text(s.UID)
	}
	if s.ServerID != "" {
		j.key("server_id").text(string(s.ServerID))
	}
	if !s.LastSeen.IsZero() {
		j.key("last-seen").moment(s.LastSeen)
	}
	j.close('}')
}

// open begins an object or array, of which there may be one before.
func (j *jsonText) open(bracket byte) {
	if n := len(j.bytes); n > 0 && j.bytes[n-1] == '}' {
		j.bytes = append(j.bytes, ',')
	}
	j.bytes = append(j.bytes, bracket)
}

func (j *jsonText) close(bracket byte) { j.bytes = append(j.bytes, bracket) }

// key begins a member of an object. The name is one that needs no escape.
func (j *jsonText) key(name string) *jsonText {
	if j.bytes[len(j.bytes)-1] != '{' {
		j.bytes = append(j.bytes, ',')
	}
	j.bytes = append(append(append(j.bytes, '"'), name...), '"', ':')
	return j
}

func (j *jsonText) text(s string) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			j.rest(s) // has escapes, or must be looked at as UTF-8
			return
		}
	}
	j.bytes = append(append(append(j.bytes, '"'), s...), '"')
}

func (j *jsonText) number(n int) { j.bytes = strconv.AppendInt(j.bytes, int64(n), 10) }

func (j *jsonText) count(n uint64) { j.bytes = strconv.AppendUint(j.bytes, n, 10) }

func (j *jsonText) figure(f float64) {
	if size := math.Abs(f); size != 0 && size < 1e-6 || !(size < 1e21) {
		j.rest(f) // has an exponent, or is no number
		return
	}
	j.bytes = strconv.AppendFloat(j.bytes, f, 'f', -1, 64)
}

func (j *jsonText) moment(t dcvix.Time) {
	utc := t.UTC()
	if year := utc.Year(); year < 2 || year > 9999 {
		j.rest(t) // is never, or has no form
		return
	}
	j.bytes = append(utc.AppendFormat(append(j.bytes, '"'), time.RFC3339Nano), '"')
}

// rest leaves a value to encoding/json.
func (j *jsonText) rest(v any) { // any: as encoding/json
	form, err := json.Marshal(v)
	if err != nil && j.err == nil {
		j.err = err
	}
	j.bytes = append(j.bytes, form...)
}
