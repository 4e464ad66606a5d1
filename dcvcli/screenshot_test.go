package dcvcli_test

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func TestScreenshotReadsWhatWasSeenInUse(t *testing.T) {
	shot, err := newCLI(t, "linux", printing(capture(t, "2025.0/get-screenshot.json"))).Screenshot(t.Context(), "a", dcvcli.ScreenshotOptions{})
	require.NoError(t, err)
	assert.Equal(t, dcvcli.PNG, shot.Format)
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	require.NoError(t, err)
	assert.Equal(t, 2, picture.Bounds().Dx())
}

func TestScreenshotPassesItsOptions(t *testing.T) {
	tests := map[string]struct {
		opts dcvcli.ScreenshotOptions
		want string
	}{
		"none": {want: "get-screenshot --json a"},
		"all": {
			opts: dcvcli.ScreenshotOptions{MaxWidth: 320, MaxHeight: 200, Format: dcvcli.JPEG, Primary: true},
			want: "get-screenshot --max-width=320 --max-height=200 --format=JPEG --primary --json a",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
				assert.Equal(t, tt.want, strings.Join(args, " "))
				return []byte(`{"format":"JPEG","base64":"AAAA","colour":true}`), nil
			})
			shot, err := cli.Screenshot(t.Context(), "a", tt.opts)
			require.NoError(t, err)
			assert.Equal(t, dcvcli.Screenshot{Format: dcvcli.JPEG, Data: []byte{0, 0, 0}}, shot)
		})
	}
}

func TestScreenshotRefusesWhatItCannotRead(t *testing.T) {
	tests := map[string]string{
		"nothing":            "",
		"prose":              "A nice picture.",
		"cut off":            `{"format":"png","base64":"AAAA`,
		"no format":          `{"base64":"AAAA"}`,
		"a hostile format":   `{"format":"p\u001b[2J","base64":"AAAA"}`,
		"no picture":         `{"format":"png","base64":""}`,
		"what is not base64": `{"format":"png","base64":"A?AA"}`,
		"a list":             `[{"format":"png","base64":"AAAA"}]`,
	}
	for name, out := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newCLI(t, "linux", printing([]byte(out))).Screenshot(t.Context(), "a", dcvcli.ScreenshotOptions{})
			require.ErrorIs(t, err, dcvcli.ErrUnknownForm)
		})
	}
}

func TestScreenshotRefusesOptionsThatCannotBe(t *testing.T) {
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		t.Errorf("ran %q", args)
		return nil, errors.New("unwanted")
	})
	for _, opts := range []dcvcli.ScreenshotOptions{{MaxWidth: -1}, {MaxHeight: -1}, {MaxWidth: 1 << 20}, {MaxHeight: 1 << 20}, {Format: "PNG"}, {Format: "gif"}} {
		_, err := cli.Screenshot(t.Context(), "a", opts)
		require.ErrorIs(t, err, dcvcli.ErrInvalid)
	}
}

func TestScreenshotOfASessionThatIsGone(t *testing.T) {
	cli := newCLI(t, "linux", func(_ context.Context, args ...string) ([]byte, error) {
		if args[0] == "list-sessions" {
			return []byte("[]"), nil
		}
		return nil, errExit
	})
	_, err := cli.Screenshot(t.Context(), "a", dcvcli.ScreenshotOptions{})
	require.ErrorIs(t, err, dcvcli.ErrNotFound)
}
