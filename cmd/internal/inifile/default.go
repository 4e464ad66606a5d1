package inifile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// WriteDefault writes a file that explains every key and shows its default,
// commented out, so that a later version can change a default that nobody chose.
// Read back as it is, or with every shown line taken in, it gives the defaults.
// Reserved keys are left out.
func (s *Set) WriteDefault(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Configuration of %s.\n# Remove the \"#\" before a key to change it. Comments stand on lines of their own.\n", s.name)
	for _, sec := range s.sections {
		fmt.Fprintf(&b, "\n[%s]\n", sec.name)
		for _, k := range sec.keys {
			if k.kind != kindReserved {
				k.writeDefault(&b)
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (k *Key) writeDefault(b *bytes.Buffer) {
	usage := strings.ReplaceAll(k.usage, "\n", "\n# ")
	if k.choices != "" {
		usage += " (" + k.choices + ")"
	}
	if k.kind == kindSecret {
		usage += "; or its file, as " + k.name + "_file"
	}
	fmt.Fprintf(b, "\n# %s\n", usage)
	if k.required != "" {
		fmt.Fprintf(b, "# Required, for example: %s\n", k.required)
	}
	fmt.Fprintln(b, strings.TrimSpace("#"+k.name+" = "+quote(k.def)))
}

// quote writes a value so that it reads back as it is, if that is possible at
// all: a value that starts and ends with a double quote is not.
func quote(value string) string {
	if value != strings.TrimSpace(value) {
		return `"` + value + `"`
	}
	return value
}
