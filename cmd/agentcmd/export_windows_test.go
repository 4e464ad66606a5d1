package agentcmd

import (
	"context"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// NewService is what the service manager drives.
func NewService(run func(ctx context.Context, started func()) error, report func(error)) svc.Handler {
	return &windowsService{run: run, report: report}
}

// Parent is the name of the program that started this one.
var Parent = parent

// CloseFolder makes a folder that nobody else may write to.
var CloseFolder = closeFolder

// OwnedByUs reads a descriptor that is written in SDDL.
func OwnedByUs(sddl, account string) (owner string, ours bool, err error) {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return "", false, err
	}
	sid, err := windows.StringToSid(account)
	if err != nil {
		return "", false, err
	}
	return ownedByUs(sd, sid)
}
