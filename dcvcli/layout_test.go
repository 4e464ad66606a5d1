package dcvcli_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli"
)

func TestALayoutIsReadAsItIsWritten(t *testing.T) {
	tests := map[string]dcvcli.Layout{
		"1920x1080+0+0":                   {{Width: 1920, Height: 1080}},
		"1920x1080+0+0,1280x1024+1920+0":  {{Width: 1920, Height: 1080}, {Width: 1280, Height: 1024, X: 1920}},
		"640x480+0+0,4096x2160-4096-1080": {{Width: 640, Height: 480}, {Width: 4096, Height: 2160, X: -4096, Y: -1080}},
	}
	for text, want := range tests {
		got, err := dcvcli.ParseLayout(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got)
		assert.Equal(t, text, got.String())
		assert.NoError(t, got.Validate())
	}
	got, err := dcvcli.ParseLayout("800x600")
	require.NoError(t, err)
	assert.Equal(t, "800x600+0+0", got.String())
}

func TestWhatIsNoLayoutIsRefused(t *testing.T) {
	for _, text := range []string{
		"", ",", "800", "800x", "x600", "800x600+0", "800x600+0+0,", " 800x600+0+0", "800x600+0+0 ", "800x600+0+0+0", "-800x600+0+0",
		"800X600+0+0", "800x600+-1+0", "0x600+0+0", "800x0", "8000000x600", "800x600+9999999+0", "８00x600", "800x600+0+0\n",
	} {
		_, err := dcvcli.ParseLayout(text)
		assert.ErrorIs(t, err, dcvcli.ErrInvalid, "%q", text)
	}
}

func TestALayoutHasBounds(t *testing.T) {
	good := dcvcli.Display{Width: 800, Height: 600}
	tests := map[string]dcvcli.Layout{
		"no display":    {},
		"five displays": {good, good, good, good, good},
		"too narrow":    {{Width: 639, Height: 480}},
		"too low":       {{Width: 640, Height: 479}},
		"too wide":      {good, {Width: 4097, Height: 2160}},
		"too high":      {{Width: 4096, Height: 2161}},
		"far left":      {{Width: 800, Height: 600, X: -16385}},
		"far right":     {{Width: 800, Height: 600, X: 16385}},
		"far up":        {{Width: 800, Height: 600, Y: -16385}},
		"far down":      {{Width: 800, Height: 600, Y: 16385}},
	}
	for name, layout := range tests {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, layout.Validate(), dcvcli.ErrInvalid) })
	}
	assert.NoError(t, dcvcli.Layout{good, good, good, good}.Validate())
}
