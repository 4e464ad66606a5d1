//go:build !linux

package directorcmd

import "errors"

func clockSynced() (bool, error) { return false, errors.ErrUnsupported }
