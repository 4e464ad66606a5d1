package agentcmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/internal/private"
)

// restart has Windows restart the agent when it ended by itself: a host must not
// stay without one because its disk was full for a minute. After a day the first
// delay counts again.
func restart(s *mgr.Service) error {
	const day = 24 * 60 * 60
	return s.SetRecoveryActions([]mgr.RecoveryAction{
		{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
		{Type: mgr.ServiceRestart, Delay: 30 * time.Second},
		{Type: mgr.ServiceRestart, Delay: 60 * time.Second}, // this one also for all that follow
	}, day)
}

// installService makes the service, whole or not at all.
func installService(opts Options, f flags) error {
	exe, args, err := commandLine(f)
	if err != nil {
		return err
	}
	if err := closeFolder(defaultDataDir()); err != nil {
		return err
	}
	m, err := connect()
	if err != nil {
		return err
	}
	defer m.Disconnect() //nolint:errcheck // nothing was written through it
	s, err := create(m, exe, args)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing is written through it
	if err := set(s, opts.Stderr); err != nil {
		return errors.Join(err, s.Delete())
	}
	_, err = fmt.Fprintf(opts.Stdout, "The service %[1]s is installed and starts with Windows.\nWrite director_host into %[2]s, then start it: sc start %[1]s\n", serviceName, f.confOfService())
	return err
}

// confOfService is the configuration that the service is going to read.
func (f flags) confOfService() string {
	if f.conf != "" {
		return f.conf
	}
	return inifile.Candidates("agent")[0]
}

// commandLine is how the service manager starts the program.
func commandLine(f flags) (exe string, args []string, err error) {
	exe, err = os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("the path of this program cannot be found out: %w", err)
	}
	if f.conf != "" {
		path, err := filepath.Abs(f.conf) // services start in a folder of Windows
		if err != nil {
			return "", nil, cmdline.Usage(fmt.Errorf("the path of the configuration cannot be used: %w", err))
		}
		if _, err := os.Stat(path); err != nil {
			return "", nil, cmdline.Usage(fmt.Errorf("the configuration of the service cannot be read: %w", err))
		}
		args = append(args, "--conf", path)
	}
	if f.lenient {
		args = append(args, "--lenient")
	}
	return exe, args, nil
}

// connect opens the service manager with the right to change services.
func connect() (*mgr.Mgr, error) {
	m, err := mgr.Connect()
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return nil, errors.New("this account may not change services: run it in a command prompt that was opened as administrator")
	}
	if err != nil {
		return nil, fmt.Errorf("the service manager cannot be reached: %w", err)
	}
	return m, nil
}

// create makes the service. It runs as LocalSystem, which alone may create
// sessions for all users with the dcv command.
func create(m *mgr.Mgr, exe string, args []string) (*mgr.Service, error) {
	s, err := m.CreateService(serviceName, exe, mgr.Config{
		ServiceType:  windows.SERVICE_WIN32_OWN_PROCESS,
		StartType:    mgr.StartAutomatic,
		ErrorControl: mgr.ErrorNormal,
		DisplayName:  "dcvix agent",
		Description:  "Connects this DCV host to its director: reports its sessions and its load, starts and closes sessions.",
	}, args...)
	if errors.Is(err, windows.ERROR_SERVICE_EXISTS) {
		return nil, cmdline.Usage(fmt.Errorf("there is a service %s already: remove it first (dcvix-agent service uninstall)", serviceName))
	}
	if err != nil {
		return nil, fmt.Errorf("the service cannot be installed: %w", err)
	}
	return s, nil
}

// set gives the service what it cannot be made with. What this Windows does not
// know is said and left out.
func set(s *mgr.Service, stderr io.Writer) error {
	for _, setting := range []struct {
		what string
		set  func() error
	}{
		{"a start after those of Windows's own services", func() error { return delay(s) }},
		{"restarts after a failure", func() error { return restart(s) }},
		{"restarts after an end with an exit code", func() error { return s.SetRecoveryActionsOnNonCrashFailures(true) }},
		{"a name in the event log", func() error {
			_ = eventlog.Remove(serviceName) // left from an installation that was not removed
			return eventlog.InstallAsEventCreate(serviceName, eventlog.Error|eventlog.Warning|eventlog.Info)
		}},
	} {
		err := setting.set()
		if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
			_, err = fmt.Fprintf(stderr, "dcvix-agent: this Windows does not know %s: the service does without\n", setting.what)
		}
		if err != nil {
			return fmt.Errorf("give the service %s: %w", setting.what, err)
		}
	}
	return nil
}

// delay has the service start some time after Windows did.
func delay(s *mgr.Service) error {
	on := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 1}
	return windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&on))) //nolint:gosec // the call takes structures of many kinds
}

// closeFolder makes the folder of configuration and identity, nobody else's to
// write: whoever can name the dcv command there has it run as LocalSystem. Every
// user of Windows may make folders and files below %ProgramData%, so that what
// somebody else made is refused.
func closeFolder(path string) error {
	for _, p := range []string{path, filepath.Join(path, "dcvix-agent.conf")} {
		owner, mine, err := ownerOf(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look who made %s: %w", p, err)
		}
		if !mine {
			return fmt.Errorf("%s was made by the account %s, who could have the service run anything: remove it, or give it to the Administrators (icacls \"%s\" /setowner *S-1-5-32-544)", p, owner, p)
		}
	}
	if err := private.MkdirAll(path); err != nil {
		return fmt.Errorf("the folder of the agent cannot be made: %w", err)
	}
	if _, err := private.TightenFolder(path); err != nil {
		return fmt.Errorf("the folder of the agent cannot be closed to others: %w", err)
	}
	return nil
}

// ownerOf says whose a file or folder is, and whether that is one of us.
func ownerOf(path string) (owner string, mine bool, err error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return "", false, err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", false, err
	}
	return ownedByUs(sd, user.User.Sid)
}

// ownedByUs says who owns what has this descriptor, and whether that is SYSTEM, the
// Administrators or the account.
func ownedByUs(sd *windows.SECURITY_DESCRIPTOR, account *windows.SID) (owner string, ours bool, err error) {
	sid, _, err := sd.Owner()
	if err != nil {
		return "", false, err
	}
	ours = sid.IsWellKnown(windows.WinLocalSystemSid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) || sid.Equals(account)
	return sid.String(), ours, nil
}

// removeService stops the service and takes it out of the manager's list.
func removeService(opts Options) error {
	m, err := connect()
	if err != nil {
		return err
	}
	defer m.Disconnect() //nolint:errcheck // nothing was written through it
	s, err := m.OpenService(serviceName)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return cmdline.Usage(fmt.Errorf("there is no service %s: nothing to remove", serviceName))
	}
	if err != nil {
		return fmt.Errorf("the service cannot be removed: %w", err)
	}
	defer s.Close() //nolint:errcheck // nothing is written through it
	if err := stopService(s); err != nil {
		return fmt.Errorf("the service does not stop: %w", err)
	}
	if err := s.Delete(); err != nil {
		return fmt.Errorf("the service cannot be removed: %w", err)
	}
	_ = eventlog.Remove(serviceName) // absent when the installation ended halfway
	_, err = fmt.Fprintf(opts.Stdout, "The service %s is removed. What the agent keeps in %s stays there.\n", serviceName, defaultDataDir())
	return err
}

// stopService stops the service, if it runs, and waits until it has.
func stopService(s *mgr.Service) error {
	status, err := s.Control(svc.Stop)
	if errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return nil
	}
	const step, most = 100 * time.Millisecond, stopPatience * time.Millisecond
	for waited := time.Duration(0); err == nil && status.State != svc.Stopped; waited += step {
		if waited > most {
			return fmt.Errorf("not within %s: end its process in the task manager", most)
		}
		time.Sleep(step)
		status, err = s.Query()
	}
	return err
}
