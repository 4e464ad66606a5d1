package agentcmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"github.com/dcvix/dcvix/cmd/agentcmd"
	"github.com/dcvix/dcvix/cmd/internal/cmdline"
	"github.com/dcvix/dcvix/internal/private"
)

// A manager is Windows' service manager towards one service.
type manager struct {
	requests chan svc.ChangeRequest
	states   chan svc.Status
	ended    chan uint32 // the exit code, which is the service's own
	reported []error     // to read after the end
}

func manage(t *testing.T, run func(ctx context.Context, started func()) error) *manager {
	m := &manager{requests: make(chan svc.ChangeRequest), states: make(chan svc.Status), ended: make(chan uint32)}
	service := agentcmd.NewService(run, func(err error) { m.reported = append(m.reported, err) })
	go func() {
		own, code := service.Execute([]string{"dcvix-agent"}, m.requests, m.states)
		assert.True(t, own, "the code is not one of Windows's errors")
		m.ended <- code
	}()
	assert.Equal(t, svc.StartPending, (<-m.states).State)
	return m
}

// untilAsked is an agent that starts well and ends when it is told to.
func untilAsked(ctx context.Context, started func()) error {
	started()
	<-ctx.Done()
	return nil
}

func TestAServiceRunsUntilItIsToldToStop(t *testing.T) {
	for name, control := range map[string]svc.Cmd{"stop": svc.Stop, "shutdown": svc.Shutdown} {
		t.Run(name, func(t *testing.T) {
			m := manage(t, untilAsked)
			running := <-m.states
			assert.Equal(t, svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}, running)

			m.requests <- svc.ChangeRequest{Cmd: svc.Interrogate, CurrentStatus: running}
			assert.Equal(t, running, <-m.states)

			m.requests <- svc.ChangeRequest{Cmd: control}
			stopping := <-m.states
			assert.Equal(t, svc.StopPending, stopping.State)
			assert.Greater(t, stopping.WaitHint, uint32(10_000), "calls under way may take 10 s")
			assert.Zero(t, <-m.ended)
			assert.Empty(t, m.reported)
		})
	}
}

func TestAServiceTellsWhyItDoesNotStart(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		code uint32
	}{
		"the host":          {errors.New("the port is taken"), agentcmd.ExitFailure},
		"the configuration": {cmdline.Usage(errors.New("did you mean director_host?")), agentcmd.ExitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			m := manage(t, func(context.Context, func()) error { return tt.err })
			assert.Equal(t, tt.code, <-m.ended, "it never ran")
			assert.Equal(t, []error{tt.err}, m.reported)
		})
	}
}

func TestAServiceThatFailsWhileItStopsSaysSo(t *testing.T) {
	late := errors.New("calls under way did not end")
	m := manage(t, func(ctx context.Context, started func()) error {
		started()
		<-ctx.Done()
		return fmt.Errorf("stop (%w): %w", context.Cause(ctx), late)
	})
	<-m.states
	m.requests <- svc.ChangeRequest{Cmd: svc.Stop}
	<-m.states
	assert.EqualValues(t, agentcmd.ExitFailure, <-m.ended)
	require.Len(t, m.reported, 1)
	assert.ErrorIs(t, m.reported[0], late)
	assert.ErrorContains(t, m.reported[0], "the service manager asked for it")
}

func TestATestIsNotStartedByTheServiceManager(t *testing.T) {
	assert.NotEqual(t, "services.exe", agentcmd.Parent())
}

func TestTheFolderOfAServiceIsClosedToOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Agent")
	require.NoError(t, agentcmd.CloseFolder(path), "one that is not there")
	require.NoError(t, agentcmd.CloseFolder(path), "one that is ours")
	remedy, err := private.Remedy(path)
	require.NoError(t, err)
	assert.Empty(t, remedy)
}

func TestAFolderThatAnotherAccountMadeIsNotOurs(t *testing.T) {
	const admin, user = "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002"
	for name, tt := range map[string]struct {
		owner string
		ours  bool
	}{
		"SYSTEM":             {"SY", true},
		"the Administrators": {"BA", true},
		"who installs":       {admin, true},
		"a user":             {user, false},
		"the users":          {"BU", false},
		"everybody":          {"WD", false},
	} {
		t.Run(name, func(t *testing.T) {
			owner, ours, err := agentcmd.OwnedByUs("O:"+tt.owner+"D:P(A;;FA;;;BA)", admin)
			require.NoError(t, err)
			assert.Equal(t, tt.ours, ours)
			assert.Contains(t, owner, "S-1-")
		})
	}
}

func TestTheFolderThatAnAdministratorMadeIsClosedToOthers(t *testing.T) {
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine adds to an access list and takes nothing away")
	}
	open := filepath.Join(t.TempDir(), "Agent")
	require.NoError(t, os.Mkdir(open, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(open, "dcvix-agent.conf"), nil, 0o666))
	require.NoError(t, agentcmd.CloseFolder(open))
	for _, path := range []string{open, filepath.Join(open, "dcvix-agent.conf")} {
		remedy, err := private.Remedy(path)
		require.NoError(t, err)
		assert.Empty(t, remedy, path)
	}
	_, err := os.ReadFile(filepath.Join(open, "dcvix-agent.conf"))
	require.NoError(t, err, "it is not closed to us")
}
