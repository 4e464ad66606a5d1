package launchercmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// classKey is where Windows looks for a person's own schemes ("Registering an
// Application to a URI Scheme" of Microsoft).
const classKey = `Software\Classes\` + linkScheme

// register lets Windows start the program for dcvix:// links of the person.
func register(_ context.Context, program string, _ bool) error {
	if strings.Contains(program, `"`) {
		return fmt.Errorf("%q cannot be written into the registry: move the program", program)
	}
	// What a link may contain after a quote is no option: hence the two dashes.
	for _, value := range []struct{ key, name, text string }{
		{classKey, "", "URL:dcvix"},
		{classKey, "URL Protocol", ""},
		{classKey + `\DefaultIcon`, "", `"` + program + `",0`},
		{classKey + `\shell\open\command`, "", `"` + program + `" -- "%1"`},
	} {
		key, _, err := registry.CreateKey(registry.CURRENT_USER, value.key, registry.SET_VALUE)
		if err != nil {
			return fmt.Errorf("make the registry key %s: %w", value.key, err)
		}
		err = key.SetStringValue(value.name, value.text)
		if err = errors.Join(err, key.Close()); err != nil {
			return fmt.Errorf("write the registry key %s: %w", value.key, err)
		}
	}
	return nil
}

// unregister takes it back.
func unregister(context.Context) error {
	for _, below := range []string{`\shell\open\command`, `\shell\open`, `\shell`, `\DefaultIcon`, ""} {
		err := registry.DeleteKey(registry.CURRENT_USER, classKey+below)
		if err != nil && !errors.Is(err, registry.ErrNotExist) {
			return fmt.Errorf("remove the registry key %s: %w", classKey+below, err)
		}
	}
	return nil
}
