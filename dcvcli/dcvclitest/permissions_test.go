package dcvclitest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// TestWhoMayEnterIsSaidByThePermissions gives alice's session a permissions file
// and looks who of three gets in.
func TestWhoMayEnterIsSaidByThePermissions(t *testing.T) {
	tests := map[string]struct {
		file    string
		common  string // the server's default file; "" means none is set
		in, out []string
	}{
		"nothing":              {file: "", out: []string{"alice", "bob", "carl"}},
		"the owner":            {file: "[permissions]\n%owner% allow builtin\n", in: []string{"alice"}, out: []string{"bob", "carl"}},
		"everybody":            {file: "[permissions]\n%any% allow display mouse\n", in: []string{"alice", "bob", "carl"}},
		"everybody but to see": {file: "[permissions]\n%any% allow mouse keyboard\n", out: []string{"alice", "bob", "carl"}},
		"a user":               {file: "; comment\n# comment\n[permissions]\nbob allow display\n", in: []string{"bob"}, out: []string{"alice", "carl"}},
		"a group":              {file: "[groups]\nviewers=user:bob, carl\n[permissions]\ngroup:viewers allow display\n", in: []string{"bob", "carl"}, out: []string{"alice"}},
		"a group of groups":    {file: "[groups]\nall=group:few, alice\nfew=bob\n[permissions]\ngroup:all allow display\n", in: []string{"alice", "bob"}, out: []string{"carl"}},
		"an empty group":       {file: "[groups]\nnone=\n[permissions]\ngroup:none allow display\n", out: []string{"alice", "bob"}},
		"a system's group":     {file: "[groups]\nall=osgroup:students\n[permissions]\ngroup:all allow display\nosgroup:staff allow display\n", in: []string{"bob", "carl"}, out: []string{"alice"}},
		"an alias":             {file: "[aliases]\nlook=display, pointer\nmore=look, mouse\n[permissions]\nbob allow more\n", in: []string{"bob"}, out: []string{"alice"}},
		"a later allow":        {file: "[permissions]\n%any% disallow builtin\nbob allow display\n", in: []string{"bob"}, out: []string{"carl"}},
		"a later disallow":     {file: "[permissions]\n%any% allow builtin\nbob disallow display\n", in: []string{"carl"}, out: []string{"bob"}},
		"a final deny":         {file: "[permissions]\nbob deny display\n%any% allow builtin\n", in: []string{"alice"}, out: []string{"bob"}},
		"deny to all":          {file: "[permissions]\n%owner% allow builtin\n%any% deny display\n", out: []string{"alice"}},
		"the server's file first": {
			common: "[permissions]\n%owner% allow builtin\ncarl allow display\n", file: "[permissions]\nbob allow display\ncarl disallow display\n",
			in: []string{"alice", "bob"}, out: []string{"carl"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			settings := map[string]string{}
			if tt.common != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "default.perm"), []byte(tt.common), 0o600))
				settings["session-management/defaults/permissions-file"] = "'" + filepath.ToSlash(filepath.Join(dir, "default.perm")) + "'"
			}
			server := start(t, dcvclitest.ServerConfig{
				DCV:         newDCV(t, dcvclitest.Config{Settings: settings}),
				VerifierURL: tokens(t),
			})
			require.NoError(t, server.dcv.Update(func(s *dcvclitest.State) error {
				s.OSGroups = map[string][]string{"students": {"bob"}, "staff": {"carl"}}
				return nil
			}))
			file := filepath.Join(dir, "session.perm")
			require.NoError(t, os.WriteFile(file, []byte(tt.file), 0o600))
			_, err := server.dcv.Run(t.Context(), "set-permissions", "--session=s", "--file="+file)
			require.NoError(t, err)
			for _, user := range tt.in {
				server.mustDial(t, "s", "token-of-"+user).Close()
			}
			for _, user := range tt.out {
				_, err := server.dial(t, "s", "token-of-"+user)
				require.ErrorIs(t, err, dcvclitest.ErrRefused, user)
				assert.ErrorContains(t, err, "may not enter")
			}
		})
	}
}

func TestAPermissionsFileThatCannotBeReadIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"an import":            "#import default.perm\n[permissions]\n",
		"no section":           "%owner% allow builtin\n",
		"another section":      "[rules]\n%owner% allow builtin\n",
		"two words":            "[permissions]\n%owner% allow\n",
		"another rule":         "[permissions]\n%owner% forbid builtin\n",
		"another feature":      "[permissions]\n%owner% allow everything\n",
		"an undefined group":   "[permissions]\ngroup:x allow builtin\n",
		"an alias of nothing":  "[aliases]\na=nothing\n",
		"a group without name": "[groups]\n=bob\n",
		"a group of itself":    "[groups]\na=group:b\nb=group:a\n",
		"an alias of itself":   "[aliases]\na=b\nb=b\n",
		"too much":             strings.Repeat(";", 64<<10+1),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.perm")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			_, err := newDCV(t, dcvclitest.Config{}).Run(t.Context(), "create-session", "--permissions-file="+file, "a")
			require.ErrorContains(t, err, "permissions file")
		})
	}
}

func TestAServerWhosePermissionsAreGoneLetsNobodyIn(t *testing.T) {
	settings := map[string]string{"session-management/defaults/permissions-file": "'/nowhere/default.perm'"}
	server := start(t, dcvclitest.ServerConfig{DCV: newDCV(t, dcvclitest.Config{Settings: settings}), VerifierURL: answering(t, http.StatusOK, yesToAlice)})
	_, err := server.dial(t, "s", "any")
	require.ErrorIs(t, err, dcvclitest.ErrRefused)
	assert.Contains(t, server.logs.String(), "the server's defaults: permissions file")
}
