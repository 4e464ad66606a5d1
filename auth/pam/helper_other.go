//go:build !linux

package pam

import (
	"context"
	"errors"
	"fmt"

	"github.com/dcvix/dcvix/auth/pam/conversation"
)

func findHelper(string) (string, error) {
	return "", fmt.Errorf("PAM is not built in, it is there on Linux alone: choose another auth_type: %w", errors.ErrUnsupported)
}

func (b *Backend) run(context.Context, conversation.Request) (conversation.Answer, error) {
	return conversation.Answer{}, errors.ErrUnsupported
}

func (b *Backend) call(context.Context, conversation.Request) (conversation.Answer, error) {
	return conversation.Answer{}, errors.ErrUnsupported
}
