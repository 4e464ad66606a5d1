package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A usage is what a process has used so far.
type usage struct {
	cpu       time.Duration // user and system
	rss, peak int           // resident, in kB
}

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every Linux
// (proc(5), time(7)).
const clockTick = 10 * time.Millisecond

// usageOf reads what the kernel of Linux says of a process.
func usageOf(pid int) (usage, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat")) //nolint:gosec // a number is no path
	if err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status")) //nolint:gosec // as above
	if err != nil {
		return usage{}, err
	}
	return parseUsage(string(stat), string(status))
}

// parseUsage reads /proc/PID/stat and /proc/PID/status (proc(5)).
func parseUsage(stat, status string) (u usage, err error) {
	_, rest, found := strings.Cut(stat[strings.LastIndexByte(stat, ')')+1:], " ") // a name may have blanks
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return u, fmt.Errorf("/proc/PID/stat cannot be read: %.100q", stat)
	}
	for _, field := range fields[11:13] { // utime and stime, the 14th and the 15th
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return u, fmt.Errorf("/proc/PID/stat cannot be read: %w", err)
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	for line := range strings.Lines(status) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &u.rss) // other lines are passed over
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &u.peak)
	}
	return u, nil
}

// A measurement is what happened while people lived.
type measurement struct {
	took                              time.Duration
	accepted, refused, failed, called int64
	cpu                               time.Duration
	memory                            usage
	known                             bool // the director's process is
	times                             []time.Duration
}

// measure lets the people live for the duration.
func (f *fleet) measure(ctx context.Context, people []*person) measurement {
	before, beforeErr := usageOf(f.director.pid)
	m := measurement{accepted: -f.tally.accepted.Load(), refused: -f.tally.refused.Load(), failed: -f.tally.failed.Load(), called: -f.tally.called.Load()}
	begin := time.Now()
	live, cancel := context.WithTimeout(ctx, f.opts.duration)
	defer cancel()
	var living sync.WaitGroup
	for _, p := range people {
		living.Go(func() { p.live(live) })
	}
	<-live.Done()
	m.took = time.Since(begin)
	after, err := usageOf(f.director.pid)
	m.known = err == nil && beforeErr == nil
	m.cpu, m.memory = after.cpu-before.cpu, after
	m.accepted += f.tally.accepted.Load()
	m.refused += f.tally.refused.Load()
	m.failed += f.tally.failed.Load()
	m.called += f.tally.called.Load()
	living.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	m.times = slices.Sorted(slices.Values(f.times))
	return m
}

// quantile returns the time that so many of a hundred calls stayed below.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)].Round(10 * time.Microsecond)
}

// print says what was found.
func (f *fleet) print(m measurement, seen int) {
	f.say("\nagents seen       %d of %d", seen, len(f.agents))
	f.say("reports           %.1f a second: %d accepted, %d refused for cause, %d without an answer",
		float64(m.accepted+m.refused)/m.took.Seconds(), m.accepted, m.refused, m.failed)
	f.say("calls to agents   %d", m.called)
	f.say("calls of people   %d, p50 %s, p99 %s", len(m.times), quantile(m.times, 50), quantile(m.times, 99))
	if m.known {
		f.say("director's CPU    %.1f %% of a core", 100*m.cpu.Seconds()/m.took.Seconds())
		f.say("director's RSS    %d MB, at most %d MB", m.memory.rss>>10, m.memory.peak>>10)
	} else {
		f.say("director's CPU    not known here: it needs Linux and, with -director, -pid")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.errors == 0 {
		f.say("director's view   is that of the fleet")
	} else {
		f.say("director's view   IS NOT that of the fleet, or an answer was wrong")
	}
}
