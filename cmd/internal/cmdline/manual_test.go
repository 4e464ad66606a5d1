package cmdline_test

import (
	"bytes"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
)

func TestTheManualPageIsMadeOfTheCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		args       []string
		want, lack []string
	}{
		"the page": {
			args: []string{"manual"},
			want: []string{
				".TH X-Y 8", "x\\-y \\- do things", "It does.\n.PP\n\\&.SH Not a heading \\en", "\\fB\\-c, \\-\\-conf\\fR \\fIFILE\\fR\nread FILE\n",
				".SS group act NAME [flags]\nAct on it.\n.TP\n\\fB\\-\\-hard\\fR\nact hard\n", ".I /etc/x.conf\nits configuration\n",
			},
			lack: []string{"Nobody sees it", "completion", "Only a group"},
		},
		"completion": {args: []string{"completion", "bash"}, want: []string{"__start_x-y"}},
		"help":       {args: []string{"--help"}, want: []string{"group"}, lack: []string{"completion", "manual", "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			root := program()
			root.SetOut(&out)
			root.SetArgs(tt.args)
			require.NoError(t, root.Execute())
			for _, want := range tt.want {
				assert.Contains(t, out.String(), want)
			}
			for _, lack := range tt.lack {
				assert.NotContains(t, out.String(), lack)
			}
		})
	}
}

func program() *cobra.Command {
	nothing := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "x-y", Short: "Do things", Long: "It does.\n\n.SH Not a heading \\n", RunE: nothing}
	root.PersistentFlags().StringP("conf", "c", "", "read `FILE`")
	group := &cobra.Command{Use: "group", Short: "Only a group", RunE: nothing}
	below := &cobra.Command{Use: "act NAME", Short: "Act on it", RunE: nothing}
	below.Flags().Bool("hard", false, "act hard")
	hidden := &cobra.Command{Use: "secret", Short: "Nobody sees it", Hidden: true, RunE: nothing}
	group.AddCommand(below)
	root.AddCommand(group, hidden)
	cmdline.Manual(root, "/etc/x.conf\tits configuration")
	return root
}
