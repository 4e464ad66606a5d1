package directorcmd

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

// shortest is how many characters of a GUID are enough for it.
const shortest = 8

// A subject is what an act is done to.
type subject struct {
	id   dcvix.AgentID
	name string // its host name, "" when that is not known
}

// String names the subject for a person.
func (s subject) String() string {
	if s.name == "" {
		return string(s.id)
	}
	return plain(s.name) + " (" + string(s.id) + ")"
}

// find returns the subjects that the words mean, each once, in the order of the
// words. A word is a GUID or a beginning of it that one subject alone has.
func find(all []subject, words []string) ([]subject, error) {
	var found []subject
	var failed []error
	for _, word := range words {
		one, err := findOne(all, word)
		if err != nil {
			failed = append(failed, err)
		} else if !slices.Contains(found, one) {
			found = append(found, one)
		}
	}
	return found, errors.Join(failed...)
}

func findOne(all []subject, word string) (subject, error) {
	guid := strings.ToLower(word)
	if strings.Trim(guid, "0123456789abcdef-") != "" {
		return subject{}, cmdline.Usage(fmt.Errorf("%.80q is no GUID: agents are chosen by GUID and never by host name, which a stranger may claim (see dcvix-director agents list)", word))
	}
	if len(guid) < shortest {
		return subject{}, cmdline.Usage(fmt.Errorf("%q is too short: give the GUID or its first %d characters or more", word, shortest))
	}
	var fit []subject
	for _, one := range all {
		if strings.HasPrefix(string(one.id), guid) {
			fit = append(fit, one)
		}
	}
	switch len(fit) {
	case 0:
		return subject{}, fmt.Errorf("there is no GUID that begins with %.80q: see dcvix-director agents list", word)
	case 1:
		return fit[0], nil
	}
	return subject{}, fmt.Errorf("%d GUIDs begin with %.80q: give more of it", len(fit), word)
}

func subjects(agents []dcvix.Agent) []subject {
	all := make([]subject, len(agents))
	for i, a := range agents {
		all[i] = subject{id: a.GUID, name: string(a.Hostname)}
	}
	return all
}
