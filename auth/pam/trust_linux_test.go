package pam_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/pam"
)

func statOf(t *testing.T, info fs.FileInfo) *syscall.Stat_t {
	t.Helper()
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	return stat
}

func TestAHelperThatOthersCouldChangeIsRefused(t *testing.T) {
	dir := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	tests := map[string]struct {
		change func(t *testing.T, folder, path string) string // returns the path to configure
		want   string                                         // "" is fine
	}{
		"one's own":    {},
		"through link": {change: func(t *testing.T, folder, path string) string { return link(t, folder, path) }},
		"missing": {
			change: func(*testing.T, string, string) string { return "/nothing/here" },
			want:   "the PAM helper is missing, there is no /nothing/here: install it there, or say where it is (pam_helper)",
		},
		"below a file": {
			change: func(_ *testing.T, _, path string) string { return path + "/helper" }, want: "cannot be used",
		},
		"a folder": {
			change: func(_ *testing.T, folder, _ string) string { return folder }, want: "no program that can be run",
		},
		"not to be executed": {change: mode(0o644), want: "chmod 755"},
		"group may write":    {change: mode(0o775), want: "others can write to "},
		"others may write":   {change: mode(0o757), want: "chmod go-w it"},
		"others may write its folder": {
			change: func(t *testing.T, folder, path string) string {
				require.NoError(t, os.Chmod(folder, 0o777))
				return path
			}, want: "others can write to ",
		},
		"others may write its folder, and not move what is not theirs": {
			change: func(t *testing.T, folder, path string) string {
				require.NoError(t, os.Chmod(folder, 0o777|fs.ModeSticky))
				return path
			},
		},
		"others may write behind the link": {
			change: func(t *testing.T, folder, path string) string {
				require.NoError(t, os.Chmod(path, 0o777))
				return link(t, t.TempDir(), path)
			}, want: "others can write to ",
		},
		"of another user": {change: give(false), want: "belongs to another user (id 65534)"},
		"in a folder of another user": {
			change: give(true), want: "belongs to another user (id 65534)",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, pam.HelperName)
			require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700))
			if tt.change != nil {
				path = tt.change(t, folder, path)
			}
			_, err := pam.New(pam.Config{Service: "dcvix", ServiceDir: dir, Helper: path})
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func mode(m fs.FileMode) func(*testing.T, string, string) string {
	return func(t *testing.T, _, path string) string {
		require.NoError(t, os.Chmod(path, m))
		return path
	}
}

func give(folderToo bool) func(*testing.T, string, string) string {
	return func(t *testing.T, folder, path string) string {
		if os.Geteuid() != 0 {
			t.Skip("only root can give files away")
		}
		if folderToo {
			path, folder = folder, path
			require.NoError(t, os.Chown(path, 65534, 65534))
			return folder
		}
		require.NoError(t, os.Chown(path, 65534, 65534))
		return path
	}
}

func link(t *testing.T, folder, path string) string {
	t.Helper()
	name := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink(path, name))
	return name
}

func TestTheHelperIsLookedForBesideTheProgramFirst(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	if matches, _ := filepath.Glob("/usr/lib*/dcvix/" + pam.HelperName); len(matches) > 0 {
		t.Skip("a helper is installed on this host")
	}
	dir := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	_, err = pam.New(pam.Config{Service: "dcvix", ServiceDir: dir})
	beside := filepath.Join(filepath.Dir(self), pam.HelperName)
	require.EqualError(t, err, "the PAM helper is missing, there is no "+beside+", no /usr/libexec/dcvix/dcvix-pam-helper, no /usr/lib/dcvix/dcvix-pam-helper: "+
		"install it there, or say where it is (pam_helper)")

	require.NoError(t, os.Symlink(helper(t), beside))
	t.Cleanup(func() { _ = os.Remove(beside) })
	b, err := pam.New(pam.Config{Service: "dcvix", ServiceDir: dir})
	require.NoError(t, err)
	require.NoError(t, b.CheckHealth(t.Context()))
}

func TestAServiceThatPAMWouldFillUpFromAnotherIsRefused(t *testing.T) {
	dir := service(t, "auth required pam_permit.so")
	for name, tt := range map[string]struct{ service, want string }{
		"missing":             {service: "nowhere", want: "there is no PAM service nowhere: write the file " + filepath.Join(dir, "nowhere")},
		"without its account": {service: "dcvix", want: `the PAM service dcvix has no line for "account"`},
		"in capitals":         {service: "DCVIX", want: "use lower-case letters"},
		"a path":              {service: "../dcvix", want: "is no name for a PAM service"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pam.New(pam.Config{Service: tt.service, ServiceDir: dir, Helper: helper(t)})
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAServiceThatGoesAwayLetsNobodyIn(t *testing.T) {
	dir := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	b := open(t, pam.Config{ServiceDir: dir})
	require.NoError(t, b.CheckHealth(t.Context()))
	require.NoError(t, os.Remove(filepath.Join(dir, "dcvix")))

	_, err := b.Authenticate(t.Context(), alice)

	require.ErrorIs(t, err, auth.ErrUnavailable)
	require.ErrorContains(t, err, "there is no PAM service dcvix")
	require.ErrorContains(t, b.CheckHealth(t.Context()), "there is no PAM service dcvix")
}

func TestAHelperThatCannotRunIsToldAtOnce(t *testing.T) {
	dir := service(t, "auth required pam_permit.so", "account required pam_permit.so")
	for name, tt := range map[string]struct{ script, want string }{
		"a library that is missing": {script: "echo 'error while loading shared libraries: libpam.so.0' >&2; exit 127", want: `(exit status 127): "error while loading shared libraries: libpam.so.0\n"`},
		"no interpreter":            {script: "", want: "cannot be started"},
		"no PAM in it":              {script: `echo '{"version":1,"result":"not_built_in","detail":"built without PAM"}'`, want: "built without PAM"},
	} {
		t.Run(name, func(t *testing.T) {
			path := foreign(t, tt.script)
			if tt.script == "" {
				write(t, path, "#!/nothing/here\n")
			}
			err := open(t, pam.Config{ServiceDir: dir, Helper: path}).CheckHealth(t.Context())
			require.ErrorIs(t, err, auth.ErrUnavailable)
			assert.ErrorContains(t, err, tt.want)
			assert.NotContains(t, strings.TrimSuffix(err.Error(), "\n"), "\n")
		})
	}
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	for _, cfg := range []pam.Config{{Timeout: -1}, {MaxConcurrent: -1}} {
		_, err := pam.New(cfg)
		require.Error(t, err)
		assert.NotErrorIs(t, err, errors.ErrUnsupported)
	}
}
