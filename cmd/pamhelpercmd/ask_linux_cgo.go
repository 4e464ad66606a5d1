//go:build linux && cgo

package pamhelpercmd

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/msteinert/pam/v2"

	"github.com/dcvix/dcvix/auth/pam/conversation"
)

// tty is what modules and their logs see in place of a terminal. Some, such as
// pam_access and pam_time, refuse a login that comes from nowhere.
const tty = "dcvix"

// ask has PAM authenticate the user and check the account.
func ask(req conversation.Request) conversation.Answer {
	runtime.LockOSThread() // modules may keep things by thread
	defer runtime.UnlockOSThread()
	if err := conversation.CheckService(req.ServiceDir, req.Service); err != nil {
		return conversation.Answer{Result: conversation.BadService, Detail: err.Error()}
	}
	person := &person{password: string(req.Password), otp: string(req.OTP)}
	tx, err := start(req, person)
	if err != nil {
		return conversation.Answer{Result: word(err), Phase: conversation.Start}
	}
	answer := conversation.Answer{Result: conversation.Success, Phase: conversation.Start}
	if !req.Check {
		answer = login(tx, person)
	}
	_ = tx.End() // the answer stands; a crash in here is the end of it though, and is meant to be
	answer.Wanted, answer.Prompt, answer.Messages = person.wanted, person.prompt, person.messages
	return answer
}

func start(req conversation.Request, person *person) (*pam.Transaction, error) {
	handler := pam.ConversationFunc(func(style pam.Style, text string) (string, error) {
		switch style {
		case pam.PromptEchoOff, pam.PromptEchoOn:
			return person.answer(style == pam.PromptEchoOn, text)
		case pam.TextInfo, pam.ErrorMsg:
			person.hear(text)
			return "", nil
		default:
			return "", errors.New("no such style")
		}
	})
	if req.ServiceDir != "" {
		return pam.StartConfDir(req.Service, req.User, handler, req.ServiceDir)
	}
	return pam.Start(req.Service, req.User, handler)
}

// login goes through the phases up to the first that fails.
func login(tx *pam.Transaction, person *person) conversation.Answer {
	if err := tx.SetItem(pam.Tty, tty); err != nil {
		return conversation.Answer{Result: word(err), Phase: conversation.Start}
	}
	if err := tx.Authenticate(pam.DisallowNullAuthtok); err != nil {
		return conversation.Answer{Result: word(err), Phase: conversation.Authenticate}
	}
	person.silent = true // prompts are for the first phase
	answer := conversation.Answer{Result: conversation.Success, Phase: conversation.Account}
	if err := tx.AcctMgmt(pam.DisallowNullAuthtok); err != nil {
		answer.Result = word(err)
		return answer
	}
	user, err := tx.GetItem(pam.User)
	if err != nil {
		answer.Result = word(err)
		return answer
	}
	answer.User = user
	return answer
}

// word returns the name of libpam for an error of it.
func word(err error) conversation.Result {
	code := pam.Error(-1)
	if !errors.As(err, &code) {
		return "unknown"
	}
	if name, ok := words[code]; ok {
		return name
	}
	return conversation.Result(fmt.Sprintf("code_%d", int(code)))
}

// words are the return codes that pam_authenticate and pam_acct_mgmt can have,
// of their own or from a module (_pam_types.h).
var words = map[pam.Error]conversation.Result{ //nolint:gochecknoglobals // a table that nothing changes
	pam.ErrOpen: "open_err", pam.ErrSymbol: "symbol_err", pam.ErrService: "service_err", pam.ErrSystem: "system_err",
	pam.ErrBuf: "buf_err", pam.ErrPermDenied: "perm_denied", pam.ErrAuth: "auth_err",
	pam.ErrCredInsufficient: "cred_insufficient", pam.ErrAuthinfoUnavail: "authinfo_unavail",
	pam.ErrUserUnknown: "user_unknown", pam.ErrMaxtries: "maxtries", pam.ErrNewAuthtokReqd: "new_authtok_reqd",
	pam.ErrAcctExpired: "acct_expired", pam.ErrCredUnavail: "cred_unavail", pam.ErrCredExpired: "cred_expired",
	pam.ErrCred: "cred_err", pam.ErrNoModuleData: "no_module_data", pam.ErrConv: "conv_err",
	pam.ErrAuthtok: "authtok_err", pam.ErrAuthtokRecovery: "authtok_recovery_err", pam.ErrTryAgain: "try_again",
	pam.ErrIgnore: "ignore", pam.ErrAbort: "abort", pam.ErrAuthtokExpired: "authtok_expired",
	pam.ErrModuleUnknown: "module_unknown", pam.ErrBadItem: "bad_item", pam.ErrConvAgain: "conv_again",
	pam.ErrIncomplete: "incomplete",
}
