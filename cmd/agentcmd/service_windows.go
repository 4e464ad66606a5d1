package agentcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// serviceName is what Windows and its event log call the agent.
const serviceName = "dcvix-agent"

// What the service manager is told to be patient for, in milliseconds.
const (
	startPatience = 30_000 // a name service that is down takes some of it
	stopPatience  = 20_000 // the agent takes 10 s for calls under way
)

// The number under which failures stand in the event log. EventCreate.exe, whose
// texts are used, knows those from 1 to 1000.
const eventFailure = 1

// errStopped is why a service ends that was told to.
var errStopped = errors.New("the service manager asked for it")

// serveWindows runs the agent as a service, if the service manager started this
// process.
func serveWindows(opts Options) (code int, service bool) {
	if !strings.EqualFold(parent(), "services.exe") {
		return 0, false
	}
	opts.logFolder = filepath.Join(defaultDataDir(), "log")
	s := &windowsService{
		run: func(ctx context.Context, started func()) error {
			opts.started = started
			return command(opts).ExecuteContext(ctx) //nolint:contextcheck // cobra hands the context to its commands
		},
		report: reportEvent,
	}
	err := svc.Run(serviceName, s)
	// The manager itself has the last word (learn.microsoft.com,
	// StartServiceCtrlDispatcher); it is not asked first because Wine's takes 10 s.
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return 0, false
	}
	if err != nil {
		reportEvent(fmt.Errorf("the service manager cannot be reached: %w", err))
		return ExitFailure, true
	}
	return exitCode(s.err), true
}

// parent returns the name of the program that started this one, "" if that cannot
// be found out.
func parent() string {
	processes, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(processes) //nolint:errcheck // nothing is written through it
	var p windows.ProcessEntry32
	p.Size = uint32(unsafe.Sizeof(p))
	id := os.Getppid()
	for err = windows.Process32First(processes, &p); err == nil; err = windows.Process32Next(processes, &p) {
		if int(p.ProcessID) == id {
			return windows.UTF16ToString(p.ExeFile[:])
		}
	}
	return ""
}

// reportEvent writes to the event log. There is nobody to tell when that fails.
func reportEvent(failure error) {
	log, err := eventlog.Open(serviceName)
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(failure.Error(), "\n") {
		_ = log.Error(eventFailure, line)
	}
	_ = log.Close()
}

// A windowsService is the agent towards the service manager.
type windowsService struct {
	run    func(ctx context.Context, started func()) error // blocks until ctx ends
	report func(error)                                     // tells an administrator
	err    error                                           // how run ended
}

var _ svc.Handler = (*windowsService)(nil)

// Execute runs the agent until the service manager asks for its end, or Windows
// shuts down. Its exit code is the service's own: that of the program. The
// manager hears that the service runs when the agent begins its work, so that
// what keeps it from that is a failure to start.
func (s *windowsService) Execute(_ []string, requests <-chan svc.ChangeRequest, states chan<- svc.Status) (own bool, code uint32) {
	const obeys = svc.AcceptStop | svc.AcceptShutdown
	states <- svc.Status{State: svc.StartPending, WaitHint: startPatience}
	ctx, stop := context.WithCancelCause(context.Background())
	defer stop(nil)
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.run(ctx, func() { close(started) }) }()
	stopping := false
	for {
		select {
		case <-started:
			started = nil
			if !stopping {
				states <- svc.Status{State: svc.Running, Accepts: obeys}
			}
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				states <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				stopping = true
				states <- svc.Status{State: svc.StopPending, WaitHint: stopPatience}
				stop(errStopped)
			default: // not accepted, not sent
			}
		case s.err = <-ended:
			if s.err != nil {
				s.report(s.err)
			}
			return true, uint32(exitCode(s.err)) //nolint:gosec // 0 to 2
		}
	}
}
