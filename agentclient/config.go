package agentclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
)

// Bounds of a request to change settings. Which settings a person may change is
// for the director to say.
const (
	maxSettings = 64
	maxValue    = 4 << 10 // bytes
)

// The forms of names in the configuration of DCV (Administrator Guide, "Amazon DCV
// Server parameter reference").
var (
	sectionForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}(/[a-z][a-z0-9-]{0,63}){0,3}$`)
	keyForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
)

// readConfig reads and checks the director's wish for settings, all of them before
// any is set.
func readConfig(body io.Reader) (dcvix.ConfigRequest, error) {
	raw, err := io.ReadAll(body)
	if err != nil {
		return dcvix.ConfigRequest{}, fmt.Errorf("the request was cut off: %w", err)
	}
	var asked dcvix.ConfigRequest
	if err := json.Unmarshal(raw, &asked); err != nil {
		return dcvix.ConfigRequest{}, errors.New("the request is not the JSON of settings")
	}
	if n := len(asked.Config); n == 0 || n > maxSettings {
		return dcvix.ConfigRequest{}, fmt.Errorf("the request has %d settings: send 1 to %d", n, maxSettings)
	}
	for _, s := range asked.Config {
		if err := checkSetting(s); err != nil {
			return dcvix.ConfigRequest{}, err
		}
	}
	return asked, nil
}

func checkSetting(s dcvix.Setting) error {
	switch {
	case !sectionForm.MatchString(s.Section):
		return fmt.Errorf("the section %.80q is not the name of one, such as display", s.Section)
	case !keyForm.MatchString(s.Key):
		return fmt.Errorf("the key %.80q is not the name of one, such as quality", s.Key)
	case s.Value == "", len(s.Value) > maxValue:
		return fmt.Errorf("the value of %s/%s has %d bytes: send 1 to %d", s.Section, s.Key, len(s.Value), maxValue)
	case !utf8.ValidString(s.Value), strings.ContainsFunc(s.Value, unicode.IsControl):
		return fmt.Errorf("the value of %s/%s has a character that no setting has", s.Section, s.Key)
	}
	return nil
}

// postConfig changes settings of the DCV server. The first that fails ends it.
func (a *Agent) postConfig(w http.ResponseWriter, r *http.Request) {
	asked, err := readConfig(http.MaxBytesReader(w, r.Body, maxRequest))
	if unreadable(w, err, "The settings cannot be changed") {
		return
	}
	ctx, cancel := change(r.Context())
	defer cancel()
	for _, s := range asked.Config {
		if err := a.cfg.DCV.SetConfig(ctx, s.Section, s.Key, s.Value); err != nil {
			a.failed(r, w, fmt.Errorf("set %s/%s: %w", s.Section, s.Key, err))
			return
		}
		a.cfg.Logger.InfoContext(ctx, "setting of DCV changed",
			slog.String("section", s.Section), slog.String("key", s.Key), slog.String("value", clean(s.Value)))
	}
	answer(w, http.StatusOK, struct{}{})
}
