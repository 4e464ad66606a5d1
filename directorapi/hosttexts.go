package directorapi

import (
	"encoding/json"
	"sync"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

// hostTexts remember how each host was last written in a list, because most hosts do
// not report between two looks at it. They are safe for concurrent use.
type hostTexts struct {
	elements func(session.Host) any // of the list: an array, as encoding/json takes it

	mu  sync.Mutex
	all map[dcvix.AgentID]hostText
}

// A hostText is elements of a list with commas between them.
type hostText struct {
	revision uint64 // of the host
	json     []byte
}

func newHostTexts(elements func(session.Host) any) *hostTexts { // any: as encoding/json
	return &hostTexts{elements: elements, all: make(map[dcvix.AgentID]hostText)}
}

// list returns the elements of hosts, as JSON. There are so many hosts in all; of
// more than twice as many nothing is remembered.
func (t *hostTexts) list(hosts []session.Host, inAll int) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) > 2*inAll {
		clear(t.all)
	}
	texts, size := make([][]byte, 0, len(hosts)), 0
	for i := range hosts {
		text, err := t.of(&hosts[i])
		if err != nil {
			return nil, err
		}
		if len(text) > 0 {
			texts, size = append(texts, text), size+len(text)+1
		}
	}
	list := append(make([]byte, 0, size+3), '[')
	for i, text := range texts {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, text...)
	}
	return append(list, ']', '\n'), nil
}

// of returns the elements of a host; mu is held.
func (t *hostTexts) of(h *session.Host) ([]byte, error) {
	if text, known := t.all[h.Agent]; known && text.revision == h.Revision {
		return text.json, nil
	}
	array, err := json.Marshal(t.elements(*h))
	if err != nil {
		return nil, err
	}
	text := array[len("[") : len(array)-len("]")]
	t.all[h.Agent] = hostText{h.Revision, text}
	return text, nil
}
