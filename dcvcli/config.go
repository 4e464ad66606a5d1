package dcvcli

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var (
	sectionForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}(/[a-z0-9-]{1,64}){0,3}$`)
	keyForm     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
)

// SetConfig sets a key of the server's configuration, such as "level" in section
// "log". The value is GVariant text: 45, true, [1, 2], and strings in quotes of
// their own, see [GVariantString]. Documented for servers from 2023.0 on. Some keys
// take effect at a restart only (Administrator Guide, "Parameter reference").
//
// It returns an error that wraps [ErrInvalid] unless section and key look like
// those of the reference and the value is one line of at most 8 KiB. The exit
// status is believed: nobody has published what get-config prints. Every user of
// the host can read the value while the command runs.
func (c *CLI) SetConfig(ctx context.Context, section, key, value string) error {
	switch {
	case !sectionForm.MatchString(section):
		return fmt.Errorf("configuration section %.80q: %w: it is not of the form a-z, 0-9, \"-\" and \"/\"", section, ErrInvalid)
	case !keyForm.MatchString(key):
		return fmt.Errorf("configuration key %.80q: %w: it is not of the form a-z, 0-9 and \"-\"", key, ErrInvalid)
	}
	if err := checkText("configuration value", value, maxValue); err != nil {
		return err
	}
	args := []string{"set-config", "--section=" + section, "--key=" + key}
	if value[0] == '-' { // a negative number; that "--" ends the options is assumed
		args = append(args, "--")
	}
	return c.change(ctx, func() error {
		_, err := c.run(ctx, append(args, value)...)
		return err
	})
}

// GVariantString returns s as GVariant text, in single quotes (GLib, "GVariant
// Text Format"). What is not UTF-8 becomes U+FFFD. GLib takes no string that
// holds a NUL.
func GVariantString(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
