//go:build no_ui

package ui_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/directorapi/ui"
)

func TestWithoutPagesThereIsNoFileSystem(t *testing.T) {
	assert.Nil(t, ui.FS())
}
