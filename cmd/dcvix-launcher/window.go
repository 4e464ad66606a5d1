//go:build (ci && linux) || (cgo && (gles || windows || darwin))

package main

import (
	"context"
	"os"
	"runtime"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/cmd/launchercmd/gui"
)

// appID is the folder of Fyne's own settings and the name of the window's class.
const appID = "net.cortassa.dcvix-launcher"

// window shows the launcher's window on the screen of this machine.
var window = func(ctx context.Context, start launchercmd.WindowStart) error { //nolint:gochecknoglobals // a build has one or none
	runtime.LockOSThread()
	if err := gui.CheckScreen(start.Words); err != nil {
		return err
	}
	if cache, err := os.UserCacheDir(); err == nil {
		_ = os.MkdirAll(cache, 0o700) // Fyne makes its own folder in it and complains when it is not there
	}
	app.SetMetadata(fyne.AppMetadata{
		ID: appID, Name: "dcvix", Version: dcvix.Version, Icon: gui.Logo,
		Migrations: map[string]bool{"fyneDo": true},
	})
	window, err := gui.New(gui.Config{App: app.NewWithID(appID), Start: start})
	if err != nil {
		return err
	}
	window.Run(ctx)
	return nil
}
