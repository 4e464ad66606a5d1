//go:build !linux || !cgo

package pamhelpercmd

import "github.com/dcvix/dcvix/auth/pam/conversation"

// ask says that there is no PAM in this build.
func ask(conversation.Request) conversation.Answer {
	return conversation.Answer{
		Result: conversation.NotBuiltIn,
		Detail: "this dcvix-pam-helper was built without PAM: build it on Linux with a C compiler and the headers of PAM (CGO_ENABLED=1, libpam0g-dev)",
	}
}
