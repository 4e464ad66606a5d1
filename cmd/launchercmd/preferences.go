package launchercmd

import (
	"strings"
	"unicode"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// Preferences are how a person wants a desktop to be shown. The zero value leaves
// everything to the viewer and the host.
type Preferences struct {
	Type dcvix.SessionType `json:"type,omitempty"` // preferred where both can be had; empty means a console

	QualityMin  int               `json:"qualityMin,omitempty"` // percent, 0 to 100; with QualityMax 0: as the host has it
	QualityMax  int               `json:"qualityMax,omitempty"` // percent, QualityMin to 100; 0 means as the host has it
	FullScreen  bool              `json:"fullScreen,omitempty"`
	AllMonitors bool              `json:"allMonitors,omitempty"`
	Datagrams   Switch            `json:"datagrams,omitempty"` // pictures over QUIC datagrams
	Scaling     bool              `json:"scaling,omitempty"`   // the picture fits the window; Windows alone
	Certificate CertificatePolicy `json:"certificate,omitempty"`
	Extra       string            `json:"extra,omitempty"`  // further words for the viewer's command line, "quoted" where one has spaces
	Viewer      string            `json:"viewer,omitempty"` // its path, or a name; empty means as the configuration has it
	Link        bool              `json:"link,omitempty"`   // start the viewer by a dcv:// link instead of a file
}

// A Switch is on, off, or as the viewer has it.
type Switch string

// The values of a [Switch].
const (
	SwitchDefault Switch = ""
	SwitchOn      Switch = "on"
	SwitchOff     Switch = "off"
)

// A CertificatePolicy says what the viewer does about a host whose certificate it
// does not know. The values are those of connection files.
type CertificatePolicy string

// The values of a [CertificatePolicy].
const (
	CertificateDefault CertificatePolicy = ""                 // as the viewer has it
	CertificateStrict  CertificatePolicy = "strict"           // refuse it
	CertificateAsk     CertificatePolicy = "ask-user"         // ask the person
	CertificateAny     CertificatePolicy = "accept-untrusted" // take it: somebody on the way can see and hear the desktop
)

// maxExtra bounds Extra, in bytes.
const maxExtra = 4096

// Check returns a sentence about the first value that cannot be, in the language of
// w; nil means English.
func (p Preferences) Check(w *words.Words) error {
	said := func(key words.Key, values ...any) error { return &saidError{text: w.Say(key, values...)} }
	switch {
	case p.QualityMin < 0 || p.QualityMax < 0 || p.QualityMin > 100 || p.QualityMax > 100:
		return said(words.QualityRange)
	case p.QualityMin > p.QualityMax:
		return said(words.QualityOrder, p.QualityMin, p.QualityMax)
	case p.Type != "" && p.Type != dcvix.SessionConsole && p.Type != dcvix.SessionVirtual,
		p.Datagrams != SwitchDefault && p.Datagrams != SwitchOn && p.Datagrams != SwitchOff,
		p.Certificate != CertificateDefault && p.Certificate != CertificateStrict &&
			p.Certificate != CertificateAsk && p.Certificate != CertificateAny:
		return said(words.OptionUnknown)
	case len(p.Extra) > maxExtra || len(p.Viewer) > maxExtra:
		return said(words.OptionLong, maxExtra)
	case strings.ContainsFunc(p.Extra+p.Viewer, unicode.IsControl):
		return said(words.OptionControl)
	}
	_, err := p.extra(w)
	return err
}

// extra returns the words of Extra. Quotes hold a word with spaces together and go.
func (p Preferences) extra(w *words.Words) ([]string, error) {
	var all []string
	var word strings.Builder
	var quote rune
	begun := false
	for _, r := range p.Extra {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && unicode.IsSpace(r):
			if begun {
				all = append(all, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, &saidError{text: w.Say(words.QuoteOpen)}
	}
	if begun {
		all = append(all, word.String())
	}
	return all, nil
}

// Preferences returns what the person has chosen.
func (e *Engine) Preferences() (p Preferences) {
	e.memory.look(func(r *remembered) {
		if r.Preferences != nil {
			p = *r.Preferences
		}
	})
	return p
}

// SetPreferences checks and remembers what the person has chosen. When they cannot be
// written to disk they hold until the launcher ends, and the error says so.
func (e *Engine) SetPreferences(p Preferences) error {
	if err := p.Check(e.words()); err != nil {
		return err
	}
	return e.memory.change(func(r *remembered) { r.Preferences = &p })
}
