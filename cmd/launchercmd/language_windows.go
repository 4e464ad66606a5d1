package launchercmd

import (
	"context"
	"os"

	"golang.org/x/sys/windows"
)

// systemLanguages returns tags such as "de-AT", the preferred first.
func systemLanguages(context.Context) []string {
	tags, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil {
		tags = nil
	}
	return append([]string{os.Getenv("LANG")}, tags...)
}
