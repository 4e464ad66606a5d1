//go:build unix

package agentcmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
)

const twoCards = `0, NVIDIA L4, 550.54.15, 12, 3, 1024, 23034, 41
1, GRID T4, the small one, 550.54.15, [N/A], [Not Supported], 0, 15360, [Unknown Error]
`

func TestFiguresOfNVIDIACards(t *testing.T) {
	got, err := parseNVIDIA(twoCards)
	require.NoError(t, err)
	assert.Equal(t, []dcvix.GPU{
		{Index: 0, Model: "NVIDIA L4", Driver: "550.54.15", Usage: 12, EncoderUsage: 3, UsedMemory: 1 << 30, TotalMemory: 23034 << 20, Temperature: 41},
		{Index: 1, Model: "GRID T4, the small one", Driver: "550.54.15", TotalMemory: 15360 << 20},
	}, got)
}

func TestOddLinesOfNVIDIASMI(t *testing.T) {
	tests := map[string]struct {
		out   string
		cards int
		odd   bool
	}{
		"nothing":             {},
		"no card":             {out: "No devices were found\n"},
		"lines of Windows":    {out: strings.ReplaceAll(twoCards, "\n", "\r\n"), cards: 2},
		"fewer fields":        {out: "0, NVIDIA L4\n", odd: true},
		"a sentence":          {out: "Unable to determine the device handle for GPU 0000:01:00.0: Unknown Error\n", odd: true},
		"a card, a sentence":  {out: twoCards + "Unable to determine the device handle\n", cards: 2, odd: true},
		"negative index":      {out: "-1, x, y, 1, 1, 1, 1, 1\n", odd: true},
		"figures beyond all":  {out: "0, x, y, 1e300, NaN, Inf, -5, 0x1p99\n", cards: 1},
		"a name that is long": {out: "0, " + strings.Repeat("x", 5000) + ", y, 1, 1, 1, 1, 1\n", cards: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseNVIDIA(tt.out)
			assert.Len(t, got, tt.cards)
			assert.Equal(t, tt.odd, err != nil, err)
			checkCards(t, got)
		})
	}
}

// checkCards fails unless the figures are such as a report may carry.
func checkCards(t *testing.T, gpus []dcvix.GPU) {
	t.Helper()
	for _, g := range gpus {
		for _, percent := range []float64{g.Usage, g.EncoderUsage} {
			assert.True(t, percent >= 0 && percent <= 100, percent)
		}
		assert.True(t, g.Temperature >= 0 && g.Temperature <= 1e9, g.Temperature)
		assert.LessOrEqual(t, g.TotalMemory, uint64(1e9)<<20)
		assert.LessOrEqual(t, len([]rune(g.Model)), 101)
		assert.NotContains(t, g.Model+g.Driver, "\n")
	}
}

func FuzzParseNVIDIA(f *testing.F) {
	f.Add(twoCards)
	f.Add("No devices were found\n")
	f.Add("0,,,,,,,\n")
	f.Fuzz(func(t *testing.T, out string) {
		gpus, _ := parseNVIDIA(out)
		checkCards(t, gpus)
	})
}

// onPath puts a fake nvidia-smi on the PATH, a script.
func onPath(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\n"+script), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestAMachineWithoutTheToolHasNoCards(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	assert.Nil(t, newNVIDIA())
}

func TestTheToolIsAskedOncePerReport(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	onPath(t, `echo "$@" >> `+runs+`; echo "0, NVIDIA L4, 550.54.15, 12, 3, 1024, 23034, 41"; echo warning >&2`)
	cards := newNVIDIA()
	require.NotNil(t, cards)
	for range 5 {
		got, err := cards.GPUs(t.Context())
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, "NVIDIA L4", got[0].Model)
	}
	asked, err := os.ReadFile(runs)
	require.NoError(t, err)
	assert.Equal(t, "--query-gpu="+nvidiaFields+" --format=csv,noheader,nounits\n", string(asked))
}

func TestFailuresOfTheTool(t *testing.T) {
	tests := map[string]struct {
		script string
		want   string // "" means no cards and no error
	}{
		"no card":         {script: "echo No devices were found; exit 6"},
		"no driver":       {script: "echo NVIDIA-SMI has failed; exit 9", want: "nvidia-smi ends with exit status 9: run it on this host to see why"},
		"another program": {script: "echo hello", want: `nvidia-smi printed "hello", which is no card`},
		"no end":          {script: "while :; do echo 0, a, b, 1, 1, 1, 1, 1; done", want: "nvidia-smi: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onPath(t, tt.script)
			got, err := newNVIDIA().GPUs(t.Context())
			assert.Empty(t, got)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestAToolThatHangsIsKilled(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	onPath(t, `sleep 600 & echo $! > `+pid+`; wait`)
	began := time.Now()
	_, err := newNVIDIA().GPUs(t.Context())
	require.EqualError(t, err, "nvidia-smi does not answer: look after the NVIDIA driver of this host")
	assert.Less(t, time.Since(began), 4*nvidiaLimit)
	child, err := os.ReadFile(pid)
	require.NoError(t, err)
	assert.Eventually(t, func() bool {
		_, err := os.Stat("/proc/" + strings.TrimSpace(string(child)))
		return errors.Is(err, os.ErrNotExist) || isZombie(t, strings.TrimSpace(string(child)))
	}, 20*time.Second, 10*time.Millisecond, "what it started is gone too")
}

func isZombie(t *testing.T, pid string) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// counted is a tool that takes a second.
type counted struct{ runs atomic.Int32 }

func (c *counted) Run(context.Context, ...string) ([]byte, error) {
	c.runs.Add(1)
	time.Sleep(time.Second)
	return []byte(twoCards), nil
}

func TestFiguresAreSharedForTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tool := &counted{}
		cards := &nvidia{command: tool, turn: make(chan struct{}, 1)}
		for range 10 {
			go func() {
				got, err := cards.GPUs(t.Context())
				assert.NoError(t, err)
				assert.Len(t, got, 2)
			}()
		}
		time.Sleep(10 * time.Second)
		assert.EqualValues(t, 1, tool.runs.Load(), "who comes together shares a run")
		time.Sleep(2 * time.Second)
		_, err := cards.GPUs(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, tool.runs.Load())
	})
}
