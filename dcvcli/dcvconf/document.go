package dcvconf

import (
	"slices"
	"strings"
)

// A document is the text of a dcv.conf, line by line. What it does not
// understand it leaves alone.
type document struct{ lines []line }

// A line is its text and how it ends: "\n", "\r\n" or, for the last one, "".
type line struct{ text, end string }

const mark = "\ufeff" // byte order mark, which some editors put first

func parse(text string) *document {
	d := &document{}
	for raw := range strings.Lines(text) {
		body, newline := strings.CutSuffix(raw, "\n")
		end := ""
		if newline {
			end = "\n"
			if cut, cr := strings.CutSuffix(body, "\r"); cr {
				body, end = cut, "\r\n"
			}
		}
		d.lines = append(d.lines, line{body, end})
	}
	return d
}

func (d *document) String() string {
	var b strings.Builder
	for _, l := range d.lines {
		b.WriteString(l.text)
		b.WriteString(l.end)
	}
	return b.String()
}

const space = " \t\v\f\r"

// bare returns the line without what may stand before its content.
func (d *document) bare(i int) string {
	text := d.lines[i].text
	if i == 0 {
		text = strings.TrimPrefix(text, mark)
	}
	return strings.TrimLeft(text, space)
}

// header returns the section that line i begins, if it does.
func (d *document) header(i int) (string, bool) {
	text := strings.TrimRight(d.bare(i), space)
	if len(text) < 2 || text[0] != '[' || text[len(text)-1] != ']' {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// pair returns the key of line i and where in the line its value begins, if it
// has one.
func (d *document) pair(i int) (key string, value int, ok bool) {
	if _, isHeader := d.header(i); isHeader {
		return "", 0, false
	}
	bare := d.bare(i)
	key, rest, ok := strings.Cut(bare, "=")
	key = strings.TrimRight(key, space)
	if !ok || key == "" || key[0] == '#' {
		return "", 0, false
	}
	rest = strings.TrimLeft(rest, space)
	return key, len(d.lines[i].text) - len(rest), true
}

// find returns the lines of a section that set a key, in order. Of several the
// last one counts (GKeyFile), also when the section begins more than once.
func (d *document) find(section, key string) []int {
	var found []int
	in := ""
	for i := range d.lines {
		if name, ok := d.header(i); ok {
			in = name
			continue
		}
		if name, _, ok := d.pair(i); ok && in == section && name == key {
			found = append(found, i)
		}
	}
	return found
}

func (d *document) get(section, key string) (Value, bool) {
	found := d.find(section, key)
	if len(found) == 0 {
		return "", false
	}
	i := found[len(found)-1]
	_, at, _ := d.pair(i)
	return Value(strings.TrimRight(d.lines[i].text[at:], space)), true
}

// set changes the line that counts, or adds one.
func (d *document) set(section, key string, v Value) {
	if found := d.find(section, key); len(found) > 0 {
		i := found[len(found)-1]
		_, at, _ := d.pair(i)
		d.lines[i].text = d.lines[i].text[:at] + string(v)
		return
	}
	text := key + "=" + string(v)
	if at, ok := d.place(section, key); ok {
		d.insert(at, text)
		return
	}
	if n := len(d.lines); n > 0 && strings.Trim(strings.TrimPrefix(d.lines[n-1].text, mark), space) != "" {
		d.insert(n, "")
	}
	d.insert(len(d.lines), "["+section+"]")
	d.insert(len(d.lines), text)
}

// place returns before which line a new key of a section goes: behind its
// commented default if there is one, else behind the last key of the section.
// It says false when there is no such section.
func (d *document) place(section, key string) (at int, ok bool) {
	in, commented := "", -1
	for i := range d.lines {
		if name, isHeader := d.header(i); isHeader {
			in = name
			if in == section {
				at, ok = i+1, true
			}
			continue
		}
		if in != section || !ok {
			continue
		}
		if _, _, isPair := d.pair(i); isPair {
			at = i + 1
		}
		// The key stands in a comment: nothing else in this section sets it.
		name, _, hasValue := strings.Cut(strings.TrimLeft(d.bare(i), "#"+space), "=")
		if hasValue && strings.TrimRight(name, space) == key {
			commented = i + 1
		}
	}
	if commented >= 0 {
		return commented, true
	}
	return at, ok
}

// insert puts a line before line i, ending as those around it.
func (d *document) insert(i int, text string) {
	end := "\n"
	if i > 0 {
		if d.lines[i-1].end == "" { // the last line, and it has no end
			if i > 1 {
				end = d.lines[i-2].end
			}
			d.lines[i-1].end = end
		}
		end = d.lines[i-1].end
	}
	d.lines = slices.Insert(d.lines, i, line{text, end})
}

// unset removes every line of a section that sets a key.
func (d *document) unset(section, key string) {
	for _, i := range slices.Backward(d.find(section, key)) {
		d.lines = slices.Delete(d.lines, i, i+1)
	}
}
