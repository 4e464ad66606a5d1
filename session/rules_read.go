package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An entry is one of a policy file, as it is written.
type entry struct {
	place

	id           string
	otherID      string // in the other spelling of the key
	admin        bool
	workstations []written
	pools        []written
	strategy     written
	require      []written
}

// A written string is one in a file.
type written struct {
	text string
	line int
}

// entryKeys are the keys of the entries of each file, in lower case. Both
// spellings of the 0.1 generation's documentation are there, and keys compare
// without regard to case.
func entryKeys(file string) []string {
	switch file {
	case PoolsFile:
		return []string{"id", "poolid", "workstations", "pools", "strategy", "require"}
	case GroupsFile:
		return []string{"id", "groupid", "admin", "workstations", "pools"}
	default:
		return []string{"id", "userid", "admin", "workstations", "pools"}
	}
}

// What [policyReader.wrong] calls what has no key.
const (
	theFile = "the file"
	anEntry = "an entry"
)

const seeDocs = "The documentation of the policy files shows their form."

// A policyReader reads one file. What encoding/json says of tokens and offsets is
// all it knows of JSON.
type policyReader struct {
	file     string
	data     []byte
	dec      *json.Decoder
	line, at int // of the end of the last token
	keys     []string
	problems []Problem
}

// readEntries reads a list of entries; an empty file is an empty list. A file that
// is no JSON, or not of this form, is an error that names file and line.
func readEntries(file string, data []byte) ([]entry, []Problem, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil, nil
	}
	if !json.Valid(data) { // looked at first, so that what follows meets no bad JSON
		return nil, nil, notJSON(file, data)
	}
	r := &policyReader{file: file, data: data, dec: json.NewDecoder(bytes.NewReader(data)), line: 1, keys: entryKeys(file)}
	r.checkEncoding()
	all, err := r.entries()
	return all, r.problems, err
}

// notJSON returns the error of a file that is no JSON.
func notJSON(file string, data []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(data, &whole)
	line := 1
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		line += bytes.Count(data[:min(len(data), max(int(syntax.Offset)-1, 0))], []byte("\n"))
	}
	return refuse(Problem{File: file, Line: line, Entry: theFile, Text: fmt.Sprintf("is not JSON: %v", err), Suggestion: seeDocs})
}

// checkEncoding notes where a file is not UTF-8, whose names will match nobody's.
func (r *policyReader) checkEncoding() {
	for i, line := 0, 1; i < len(r.data); line++ {
		end := bytes.IndexByte(r.data[i:], '\n') + 1
		if end == 0 {
			end = len(r.data) - i
		}
		if !utf8.Valid(r.data[i : i+end]) {
			r.problems = append(r.problems, Problem{File: r.file, Line: line, Entry: "the file", Text: "is not UTF-8 here", Suggestion: "Save it as UTF-8."})
			return
		}
		i += end
	}
}

// next returns the next token and keeps count of the lines.
func (r *policyReader) next() (json.Token, error) {
	token, err := r.dec.Token()
	if err != nil {
		return nil, refuse(Problem{File: r.file, Line: r.line, Entry: theFile, Text: fmt.Sprintf("is not JSON: %v", err), Suggestion: seeDocs})
	}
	end := int(r.dec.InputOffset())
	r.line += bytes.Count(r.data[r.at:end], []byte("\n"))
	r.at = end
	return token, nil
}

// wrong is the error of a token of another kind than the form asks for. What has it
// is a key, or one of theFile and anEntry.
func (r *policyReader) wrong(what string, token json.Token) error {
	kind := "a number"
	switch t := token.(type) {
	case string:
		kind = "a string"
	case bool:
		kind = "true or false"
	case json.Delim:
		kind = "a list"
		if t == '{' {
			kind = "an object"
		}
	}
	if what != theFile && what != anEntry {
		what = fmt.Sprintf("%.80q", what)
	}
	return refuse(Problem{File: r.file, Line: r.line, Entry: what, Text: "cannot be " + kind, Suggestion: seeDocs})
}

// open takes the beginning of a list or an object. It says false for null, which
// stands for none.
func (r *policyReader) open(what string, begin json.Delim) (bool, error) {
	token, err := r.next()
	switch {
	case err != nil || token == nil:
		return false, err
	case token != begin:
		return false, r.wrong(what, token)
	}
	return true, nil
}

func (r *policyReader) entries() ([]entry, error) {
	all := make([]entry, 0, bytes.Count(r.data, []byte("{"))) // as many as there are, unless one has an object inside
	some, err := r.open(theFile, '[')
	for some && err == nil && r.dec.More() {
		var e entry
		if e, err = r.entry(); err == nil {
			all = append(all, e)
		}
	}
	return all, err
}

func (r *policyReader) entry() (entry, error) {
	some, err := r.open(anEntry, '{')
	e := entry{place: place{r.file, r.line}}
	if err != nil || !some {
		return e, err
	}
	first := len(r.problems)
	for seen := uint(0); err == nil && r.dec.More(); {
		seen, err = r.field(&e, seen)
	}
	if err == nil {
		_, err = r.next()
	}
	for i := range r.problems[first:] { // now, as the id may come last
		r.problems[first+i].Entry = e.title()
	}
	return e, err
}

// field reads a key and its value. Seen has the bits of the keys that were there.
func (r *policyReader) field(e *entry, seen uint) (uint, error) {
	token, err := r.next()
	if err != nil {
		return seen, err
	}
	name, _ := token.(string) // as all keys are
	key := slices.Index(r.keys, strings.ToLower(name))
	if key < 0 {
		return seen, r.skip(name)
	}
	if seen&(1<<key) != 0 {
		r.problem(fmt.Sprintf("has the key %.80q twice, the last counts", name), "Merge them.")
	}
	return seen | 1<<key, r.value(e, name, r.keys[key])
}

// skip passes over the value of a key that means nothing.
func (r *policyReader) skip(name string) error {
	r.problem(fmt.Sprintf("has the key %.80q, which means nothing", name), newGuesser(r.keys, "Remove it.").suggest(name))
	var skipped json.RawMessage
	return r.dec.Decode(&skipped) // the lines in it are counted with the next token
}

// value reads the value of a key into an entry.
func (r *policyReader) value(e *entry, name, key string) (err error) {
	switch key {
	case "id":
		e.id, err = r.text(name)
	case "userid", "poolid", "groupid":
		e.otherID, err = r.text(name)
	case "admin":
		e.admin, err = r.yes(name)
	case "workstations":
		e.workstations, err = r.list(name)
	case "pools":
		e.pools, err = r.list(name)
	case "require":
		e.require, err = r.list(name)
	case "strategy":
		e.strategy.text, err = r.text(name)
		e.strategy.line = r.line
	}
	return err
}

func (r *policyReader) text(what string) (string, error) {
	token, err := r.next()
	if err != nil || token == nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", r.wrong(what, token)
	}
	return text, nil
}

func (r *policyReader) yes(what string) (bool, error) {
	token, err := r.next()
	if err != nil || token == nil {
		return false, err
	}
	yes, ok := token.(bool)
	if !ok {
		return false, r.wrong(what, token)
	}
	return yes, nil
}

func (r *policyReader) list(what string) ([]written, error) {
	some, err := r.open(what, '[')
	if err != nil || !some {
		return nil, err
	}
	var all []written
	for r.dec.More() {
		text, err := r.text(what)
		if err != nil {
			return nil, err
		}
		all = append(all, written{text, r.line})
	}
	_, err = r.next()
	return all, err
}

// problem notes what is wrong in the entry that is being read, at the line of now.
func (r *policyReader) problem(text, suggestion string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: r.line, Text: text, Suggestion: suggestion})
}

// title says which entry it is.
func (e *entry) title() string {
	kind := "user"
	switch e.file {
	case PoolsFile:
		kind = "pool"
	case GroupsFile:
		kind = "group"
	}
	id := e.id
	if id == "" {
		id = e.otherID
	}
	if id == "" {
		return "a " + kind
	}
	return fmt.Sprintf("%s %.80q", kind, id)
}
