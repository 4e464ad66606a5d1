package cmdline

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dcvix/dcvix"
)

// Manual adds to a program what packages need of it, hidden because people do not:
// the command "manual", which prints the manual page (man-pages(7), section 8) that
// is made of the commands as they are, and "completion", which prints what a shell
// needs to complete them. files are lines of FILES: a path, a tab, what it is for.
func Manual(root *cobra.Command, files ...string) {
	root.CompletionOptions = cobra.CompletionOptions{HiddenDefaultCmd: true}
	root.AddCommand(&cobra.Command{
		Use:    "manual",
		Short:  "Print the manual page",
		Args:   NoWords,
		Hidden: true,
		RunE:   func(cmd *cobra.Command, _ []string) error { return writeManual(cmd.OutOrStdout(), root, files) },
	})
}

func writeManual(w io.Writer, root *cobra.Command, files []string) error {
	var b strings.Builder
	name := root.Name()
	fmt.Fprintf(&b, ".TH %s 8 \"\" \"%s %s\" \"System Manager's Manual\"\n", strings.ToUpper(name), escape(name), escape(dcvix.Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name), escape(lowerFirst(root.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n[\\fIcommand\\fR] [\\fIflags\\fR]\n", escape(name))
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(cmp.Or(root.Long, root.Short)))
	b.WriteString(".SH OPTIONS\n")
	flags(&b, root.Flags(), root.PersistentFlags())
	if commands := below(root); len(commands) > 0 {
		b.WriteString(".SH COMMANDS\nThe options above that do not end the program hold for each.\n")
		for _, c := range commands {
			fmt.Fprintf(&b, ".SS %s\n%s", escape(strings.TrimPrefix(c.UseLine(), name+" ")), paragraphs(sentence(cmp.Or(c.Long, c.Short))))
			flags(&b, c.LocalNonPersistentFlags())
		}
	}
	if len(files) > 0 {
		b.WriteString(".SH FILES\n")
		for _, line := range files {
			path, what, _ := strings.Cut(line, "\t")
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", escape(path), escape(what))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// below returns the commands that do something, in the order of their names.
func below(root *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range root.Commands() {
		switch {
		case c.Hidden || c.Name() == "help":
		case c.HasSubCommands():
			all = append(all, below(c)...)
		default:
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *cobra.Command) int { return strings.Compare(a.CommandPath(), b.CommandPath()) })
	return all
}

func flags(b *strings.Builder, sets ...*pflag.FlagSet) {
	seen := map[string]bool{}
	for _, set := range sets {
		set.VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" || seen[f.Name] {
				return
			}
			seen[f.Name] = true
			value, usage := pflag.UnquoteUsage(f)
			name := "\\-\\-" + escape(f.Name)
			if f.Shorthand != "" {
				name = "\\-" + escape(f.Shorthand) + ", " + name
			}
			if value != "" {
				value = " \\fI" + escape(value) + "\\fR"
			}
			fmt.Fprintf(b, ".TP\n\\fB%s\\fR%s\n%s\n", name, value, escape(usage))
		})
	}
}

func paragraphs(text string) string {
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range parts {
		parts[i] = escape(p)
	}
	return strings.Join(parts, "\n.PP\n") + "\n"
}

func sentence(text string) string {
	if strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

func lowerFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// escape keeps a text from being read as requests of roff (groff(7)).
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
