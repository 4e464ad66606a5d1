package gui

import (
	"errors"
	"os"
	"runtime"

	"github.com/dcvix/dcvix/cmd/launchercmd/words"
)

// CheckScreen returns a sentence with what to do instead when there is no screen to
// show a window on: Fyne would end the process.
func CheckScreen(w *words.Words) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" {
		return nil
	}
	return errors.New(w.Say(words.NoScreen))
}
