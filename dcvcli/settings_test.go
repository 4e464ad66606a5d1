package dcvcli_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

// one is a dcv with the session "a" alone. obey says what a command that changes
// it does.
type one struct {
	mu      sync.Mutex     // guards session
	session map[string]any // as describe-session prints it
	text    string         // when set, what describe-session prints in place of JSON
	changed [][]string
	obey    func(o *one) error
}

func (o *one) show(key string, value any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.session[key] = value
}

func (o *one) json() ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return json.Marshal(o.session)
}

func (o *one) run(_ context.Context, args ...string) ([]byte, error) {
	o.show("id", "a")
	switch {
	case args[0] == "list-sessions":
		out, err := o.json()
		return append(append([]byte("["), out...), ']'), err
	case args[0] == "describe-session" && args[1] != "a":
		return nil, errExit
	case args[0] == "describe-session" && o.text != "":
		if slices.Contains(args, "--json") {
			return nil, errExit
		}
		return []byte(o.text), nil
	case args[0] == "describe-session":
		return o.json()
	}
	o.changed = append(o.changed, args)
	return nil, o.obey(o)
}

func TestEverySettingIsPassedInTheFormOfTheGuide(t *testing.T) {
	ctx := context.Background()
	layout := dcvcli.Layout{{Width: 1920, Height: 1080}, {Width: 800, Height: 600, X: -800}}
	tests := map[string]struct {
		set  func(*dcvcli.CLI) error
		want string
	}{
		"a name":           {want: "set-name --session=a --name=-Seat 3", set: func(c *dcvcli.CLI) error { return c.SetName(ctx, "a", "-Seat 3") }},
		"no name":          {want: "set-name --session=a --none", set: func(c *dcvcli.CLI) error { return c.SetName(ctx, "a", "") }},
		"a storage root":   {want: "set-storage-root --session=a %home%/x", set: func(c *dcvcli.CLI) error { return c.SetStorageRoot(ctx, "a", "%home%/x") }},
		"permissions":      {want: "set-permissions --session=a --file=/p q", set: func(c *dcvcli.CLI) error { return c.SetPermissions(ctx, "a", "/p q") }},
		"no permissions":   {want: "set-permissions --session=a --none", set: func(c *dcvcli.CLI) error { return c.RevokePermissions(ctx, "a") }},
		"the built-in":     {want: "set-permissions --session=a --reset-builtin", set: func(c *dcvcli.CLI) error { return c.ResetPermissions(ctx, "a") }},
		"a layout":         {want: "set-display-layout --session=a 1920x1080+0+0,800x600-800+0", set: func(c *dcvcli.CLI) error { return c.SetDisplayLayout(ctx, "a", layout) }},
		"a configuration":  {want: "set-config --section=log --key=level 'debug'", set: func(c *dcvcli.CLI) error { return c.SetConfig(ctx, "log", "level", "'debug'") }},
		"a deeper section": {want: "set-config --section=display/linux --key=a-b2 true", set: func(c *dcvcli.CLI) error { return c.SetConfig(ctx, "display/linux", "a-b2", "true") }},
		"a number below 0": {
			want: "set-config --section=session-management --key=max-sessions-per-user -- -1",
			set: func(c *dcvcli.CLI) error {
				return c.SetConfig(ctx, "session-management", "max-sessions-per-user", "-1")
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &one{session: map[string]any{}, obey: func(o *one) error {
				if strings.Contains(tt.want, "--name") {
					o.show("name", "-Seat 3")
				}
				return nil
			}}
			require.NoError(t, tt.set(newCLI(t, "linux", o.run)))
			require.Len(t, o.changed, 1)
			assert.Equal(t, tt.want, strings.Join(o.changed[0], " "))
		})
	}
}

func TestASettingBelievesTheSessionNotTheExitStatus(t *testing.T) {
	ctx := context.Background()
	named := func(c *dcvcli.CLI) error { return c.SetName(ctx, "a", "new") }
	stored := func(c *dcvcli.CLI) error { return c.SetStorageRoot(ctx, "a", "/srv/x/") }
	arranged := func(c *dcvcli.CLI) error {
		return c.SetDisplayLayout(ctx, "a", dcvcli.Layout{{Width: 800, Height: 600}, {Width: 640, Height: 480, X: 800}})
	}
	layout := func(displays ...dcvcli.Display) []map[string]int {
		list := []map[string]int{}
		for _, d := range displays {
			list = append(list, map[string]int{"width": d.Width, "height": d.Height, "x": d.X, "y": d.Y})
		}
		return list
	}
	set := func(key string, value any, err error) func(*one) error {
		return func(o *one) error { o.show(key, value); return err }
	}
	tests := map[string]struct {
		set  func(*dcvcli.CLI) error
		obey func(*one) error
		text string
		want error
		took time.Duration
	}{
		"named":                       {set: named, obey: set("name", "new", nil)},
		"named although it failed":    {set: named, obey: set("name", "new", errExit)},
		"refused":                     {set: named, obey: set("name", "old", errExit), want: errExit},
		"exit 0 but nothing":          {set: named, obey: set("name", "old", nil), want: dcvcli.ErrNotChanged, took: 3 * time.Second},
		"named as the text shows":     {set: named, obey: set("name", nil, nil), text: "Session: a\n  name: new\n"},
		"not named as the text shows": {set: named, obey: set("name", nil, nil), text: "Session: a\n  name: old\n", want: dcvcli.ErrNotChanged, took: 3 * time.Second},
		"named a second later": {set: named, took: 1550 * time.Millisecond, obey: func(o *one) error {
			time.AfterFunc(time.Second, func() { o.show("name", "new") })
			return nil
		}},
		"stored without the slash":         {set: stored, obey: set("storage-root", "/srv/x", nil)},
		"stored elsewhere":                 {set: stored, obey: set("storage-root", "/srv", nil), want: dcvcli.ErrNotChanged, took: 3 * time.Second},
		"a text has no storage root":       {set: stored, obey: set("storage-root", "", nil), text: "Session: a\n"},
		"a text hides no failure":          {set: stored, obey: set("storage-root", "", errExit), text: "Session: a\n", want: errExit},
		"arranged the other way round":     {set: arranged, obey: set("display-layout", layout(dcvcli.Display{Width: 640, Height: 480, X: 800}, dcvcli.Display{Width: 800, Height: 600}), nil)},
		"a layout that is not supported":   {set: arranged, obey: set("display-layout", layout(dcvcli.Display{Width: 800, Height: 600}), nil), want: dcvcli.ErrNotChanged, took: 3 * time.Second},
		"no layout is shown":               {set: arranged, obey: set("name", "", nil)},
		"no layout is shown and it failed": {set: arranged, obey: set("name", "", errExit), want: errExit},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := &one{session: map[string]any{}, text: tt.text, obey: tt.obey}
				start := time.Now()
				err := tt.set(newCLI(t, "linux", o.run))
				if tt.want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, tt.want)
				}
				assert.Equal(t, tt.took, time.Since(start))
			})
		})
	}
}

func TestASettingOfASessionThatIsGone(t *testing.T) {
	ctx := t.Context()
	o := &one{session: map[string]any{}, obey: func(*one) error { return errExit }}
	cli := newCLI(t, "linux", o.run)
	for _, err := range []error{
		cli.SetName(ctx, "b", "n"),
		cli.SetStorageRoot(ctx, "b", "/s"),
		cli.SetPermissions(ctx, "b", "/p"),
		cli.RevokePermissions(ctx, "b"),
		cli.ResetPermissions(ctx, "b"),
		cli.SetDisplayLayout(ctx, "b", dcvcli.Layout{{Width: 800, Height: 600}}),
	} {
		require.ErrorIs(t, err, dcvcli.ErrNotFound)
	}
	require.ErrorIs(t, cli.SetPermissions(ctx, "a", "/p"), errExit)
	require.ErrorIs(t, cli.SetConfig(ctx, "log", "level", "1"), errExit)
}

func TestNoDubiousSettingReachesTheCommand(t *testing.T) {
	ctx := t.Context()
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		t.Errorf("ran %q", args)
		return nil, errors.New("unwanted")
	})
	tests := map[string]error{
		"an endless name":             cli.SetName(ctx, "a", strings.Repeat("é", 257)),
		"a name with an escape":       cli.SetName(ctx, "a", "\x1b[2J"),
		"no storage root":             cli.SetStorageRoot(ctx, "a", ""),
		"a storage root like a flag":  cli.SetStorageRoot(ctx, "a", "--help"),
		"a storage root with a NUL":   cli.SetStorageRoot(ctx, "a", "/a\x00b"),
		"no permissions file":         cli.SetPermissions(ctx, "a", ""),
		"a permissions file in lines": cli.SetPermissions(ctx, "a", "/a\nb"),
		"no layout":                   cli.SetDisplayLayout(ctx, "a", nil),
		"no section":                  cli.SetConfig(ctx, "", "level", "1"),
		"a section like an option":    cli.SetConfig(ctx, "-log", "level", "1"),
		"a section in brackets":       cli.SetConfig(ctx, "[log]", "level", "1"),
		"a section that climbs":       cli.SetConfig(ctx, "log/../security", "level", "1"),
		"a key with a space":          cli.SetConfig(ctx, "log", "le vel", "1"),
		"a key with an equals sign":   cli.SetConfig(ctx, "log", "level=1", "1"),
		"a key in two lines":          cli.SetConfig(ctx, "log", "level\n", "1"),
		"no value":                    cli.SetConfig(ctx, "log", "level", ""),
		"a value in two lines":        cli.SetConfig(ctx, "log", "level", "1\n[security]\nauthentication='none'"),
		"an endless value":            cli.SetConfig(ctx, "log", "level", strings.Repeat("1", 8193)),
	}
	for name, err := range tests {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, err, dcvcli.ErrInvalid) })
	}
}

func TestGVariantStringIsAStringOfItsOwn(t *testing.T) {
	tests := map[string]string{
		"":             `''`,
		"debug":        `'debug'`,
		"it's":         `'it\'s'`,
		`C:\dcv\`:      `'C:\\dcv\\'`,
		`"both"`:       `'"both"'`,
		"Träume 夢":     `'Träume 夢'`,
		"a\nb\tc\x1bd": `'a\nb\u0009c\u001bd'`,
		"a\xffb":       "'a\uFFFDb'",
	}
	for text, want := range tests {
		assert.Equal(t, want, dcvcli.GVariantString(text))
	}
}

func TestSettingsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &one{session: map[string]any{}, obey: func(*one) error { time.Sleep(time.Second); return nil }}
		cli := newCLI(t, "linux", o.run)
		go func() { assert.NoError(t, cli.SetConfig(t.Context(), "log", "level", "1")) }()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, cli.ResetPermissions(t.Context(), "a"))
		assert.Equal(t, 2*time.Second, time.Since(start))
	})
}
