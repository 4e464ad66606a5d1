package agentcmd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/dcvcli"
)

const (
	nvidiaLimit = 5 * time.Second  // of a run: a driver in trouble makes it hang
	nvidiaPause = 10 * time.Second // figures are not asked for again before; a run may take a second of a core
	// nvidiaNone is the exit status for a query that found nothing: the tool is
	// there and no card (manual page of nvidia-smi, "Return value").
	nvidiaNone = 6
)

// nvidiaFields are what nvidia-smi is asked for, in the order of [parseNVIDIA].
// "nvidia-smi --help-query-gpu" lists them.
const nvidiaFields = "index,name,driver_version,utilization.gpu,utilization.encoder,memory.used,memory.total,temperature.gpu"

// nvidia reads the NVIDIA cards of this machine with nvidia-smi, the tool of the
// driver.
type nvidia struct {
	command dcvcli.Runner

	turn chan struct{} // holds one element while what follows is used
	at   time.Time     // of last; zero before the first
	last []dcvix.GPU
	err  error
}

var _ agentclient.GPUs = (*nvidia)(nil)

// newNVIDIA returns nil on a machine without the tool, which is looked up once.
func newNVIDIA() agentclient.GPUs {
	for _, name := range []string{"nvidia-smi", `C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe`} { // older drivers of Windows are not on the PATH
		if path, err := exec.LookPath(name); err == nil {
			return &nvidia{command: &dcvcli.Command{Path: path}, turn: make(chan struct{}, 1)}
		}
	}
	return nil
}

// GPUs implements [agentclient.GPUs]. Callers that come together, or soon after
// each other, share one run.
func (n *nvidia) GPUs(ctx context.Context) ([]dcvix.GPU, error) {
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if n.at.IsZero() || time.Since(n.at) >= nvidiaPause {
		n.last, n.err = n.run(ctx)
		n.at = time.Now()
	}
	return n.last, n.err
}

func (n *nvidia) run(ctx context.Context) ([]dcvix.GPU, error) {
	ctx, cancel := context.WithTimeout(ctx, nvidiaLimit)
	defer cancel()
	out, err := n.command.Run(ctx, "--query-gpu="+nvidiaFields, "--format=csv,noheader,nounits")
	failed := (*dcvcli.CommandError)(nil)
	switch {
	case err == nil:
		return parseNVIDIA(string(out))
	case errors.As(err, &failed) && failed.ExitCode == nvidiaNone:
		return nil, nil
	case errors.As(err, &failed): // it says why on its standard output
		return nil, fmt.Errorf("nvidia-smi ends with %w: run it on this host to see why", err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("nvidia-smi does not answer: look after the NVIDIA driver of this host")
	case errors.Is(err, dcvcli.ErrNotInstalled):
		return nil, errors.New("nvidia-smi is gone: restart the agent if the driver was removed for good")
	default:
		return nil, fmt.Errorf("nvidia-smi: %w", err)
	}
}

// parseNVIDIA reads lines of comma-separated values, as far as they are such
// lines. A figure in brackets, as [N/A] and [Not Supported], is one that the card
// does not have.
func parseNVIDIA(out string) ([]dcvix.GPU, error) {
	var gpus []dcvix.GPU
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line == "" || line == "No devices were found" {
			continue
		}
		gpu, ok := parseNVIDIALine(line)
		if !ok {
			return gpus, fmt.Errorf("nvidia-smi printed %q, which is no card", dcvix.OneLine(line, 120))
		}
		gpus = append(gpus, gpu)
	}
	return gpus, nil
}

func parseNVIDIALine(line string) (dcvix.GPU, bool) {
	fields := strings.Split(line, ",")
	// A model's name could have a comma: the fields after it are counted from the end.
	extra := len(fields) - strings.Count(nvidiaFields, ",") - 1
	index, err := strconv.Atoi(strings.TrimSpace(fields[0]))
	if extra < 0 || err != nil || index < 0 {
		return dcvix.GPU{}, false
	}
	model, rest := strings.Join(fields[1:2+extra], ","), fields[2+extra:]
	const mebi = 1 << 20
	return dcvix.GPU{
		Index:        index,
		Model:        dcvix.OneLine(model, 100),
		Driver:       dcvix.OneLine(rest[0], 100),
		Usage:        min(figure(rest[1]), 100),
		EncoderUsage: min(figure(rest[2]), 100),
		UsedMemory:   uint64(figure(rest[3])) * mebi,
		TotalMemory:  uint64(figure(rest[4])) * mebi,
		Temperature:  figure(rest[5]),
	}, true
}

// figure reads a number of at least 0; what is none is 0.
func figure(field string) float64 {
	const most = 1e9 // more than any of them can be, MiB of memory included
	f, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
	if err == nil && f >= 0 && f <= most { // and no NaN
		return f
	}
	return 0
}
