package pam_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/authtest"
	"github.com/dcvix/dcvix/auth/pam"
	"github.com/dcvix/dcvix/auth/pam/conversation"
)

func TestConformance(t *testing.T) {
	authtest.TestAuthenticator(t, authtest.Target{
		Authenticator: open(t, pam.Config{ServiceDir: matrixService(t, "alice:wonder:dcvix\n")}),
		Good:          alice,
		Want:          auth.Identity{User: "alice"},
		Down:          open(t, pam.Config{ServiceDir: service(t, "auth required pam_debug.so auth=authinfo_unavail", "account required pam_permit.so")}),
	})
}

func TestWhatPAMSaysIsJudged(t *testing.T) {
	tests := map[string]struct {
		debug string // argument of pam_debug
		want  error
		log   string // of a refusal
	}{
		"success is good":                              {debug: "auth=success"},
		"a wrong password":                             {debug: "auth=auth_err", want: auth.ErrInvalidCredentials, log: "phase=authenticate result=auth_err"},
		"an unknown user":                              {debug: "auth=user_unknown", want: auth.ErrInvalidCredentials, log: "result=user_unknown"},
		"too many tries":                               {debug: "auth=maxtries", want: auth.ErrInvalidCredentials, log: "result=maxtries"},
		"no rights":                                    {debug: "auth=perm_denied", want: auth.ErrInvalidCredentials, log: "result=perm_denied"},
		"insufficient credentials":                     {debug: "auth=cred_insufficient", want: auth.ErrInvalidCredentials, log: "result=cred_insufficient"},
		"nobody who judges":                            {debug: "auth=ignore", want: auth.ErrInvalidCredentials, log: "result=perm_denied"},
		"an account that has expired":                  {debug: "acct=acct_expired", want: auth.ErrInvalidCredentials, log: `phase=account result=acct_expired why="the account has expired"`},
		"a password that must change":                  {debug: "acct=new_authtok_reqd", want: auth.ErrInvalidCredentials, log: `phase=account result=new_authtok_reqd why="the password has to be changed first"`},
		"a password that has expired":                  {debug: "acct=authtok_expired", want: auth.ErrInvalidCredentials, log: "result=authtok_expired"},
		"an account that may not":                      {debug: "acct=perm_denied", want: auth.ErrInvalidCredentials, log: "phase=account result=perm_denied"},
		"an account that the account module not knows": {debug: "acct=user_unknown", want: auth.ErrInvalidCredentials, log: "phase=account result=user_unknown"},
		"users out of reach":                           {debug: "auth=authinfo_unavail", want: auth.ErrUnavailable},
		"accounts out of reach":                        {debug: "acct=authinfo_unavail", want: auth.ErrUnavailable},
		"a module that fails":                          {debug: "auth=system_err", want: auth.ErrUnavailable},
		"a service that fails":                         {debug: "auth=service_err", want: auth.ErrUnavailable},
		"no memory":                                    {debug: "auth=buf_err", want: auth.ErrUnavailable},
		"an abort":                                     {debug: "auth=abort", want: auth.ErrUnavailable},
		"try again":                                    {debug: "auth=try_again", want: auth.ErrUnavailable},
		"no talk":                                      {debug: "auth=conv_err", want: auth.ErrUnavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			logger, log := logged(t)
			b := open(t, pam.Config{ServiceDir: service(t, "auth required pam_debug.so "+tt.debug, "account required pam_debug.so "+tt.debug), Logger: logger})
			_, err := b.Authenticate(t.Context(), alice)
			require.ErrorIs(t, err, tt.want)
			assert.Contains(t, log.String(), tt.log)
			if errors.Is(tt.want, auth.ErrInvalidCredentials) {
				assert.EqualError(t, err, auth.ErrInvalidCredentials.Error(), "it says nothing to the user")
			}
		})
	}
}

func TestTheAccountIsCheckedNotOnlyThePassword(t *testing.T) {
	logger, log := logged(t)
	passwords := filepath.Join(t.TempDir(), "passwords")
	write(t, passwords, "alice:wonder:another\n")
	b := open(t, pam.Config{ServiceDir: service(t, "auth required pam_permit.so", "account required "+matrix(t)+" passdb="+passwords), Logger: logger})
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrInvalidCredentials)
	assert.Contains(t, log.String(), "phase=account result=perm_denied")
}

// twoSteps lets alice in with a password and a code that the second module asks
// for, with that option.
func twoSteps(t *testing.T, option string) string {
	t.Helper()
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	write(t, first, "alice:wonder:dcvix\n")
	write(t, second, "alice:123456:dcvix\n")
	return service(t, "auth requisite "+matrix(t)+" passdb="+first, "auth required "+matrix(t)+" passdb="+second+" "+option, "account required pam_permit.so")
}

func TestASecondPromptTakesTheOneTimePassword(t *testing.T) {
	for name, option := range map[string]string{"hidden": "", "shown": "echo"} {
		t.Run(name, func(t *testing.T) {
			b := open(t, pam.Config{ServiceDir: twoSteps(t, option)})
			c := alice

			_, err := b.Authenticate(t.Context(), c)
			var asked *auth.Challenge
			require.ErrorAs(t, err, &asked)
			assert.Equal(t, "Password:", asked.Prompt)
			assert.NotContains(t, asked.State, "wonder")

			c.OTP, c.Challenge = "123456", asked.State
			who, err := b.Authenticate(t.Context(), c)
			require.NoError(t, err)
			assert.Equal(t, dcvix.Username("alice"), who.User)

			c.Challenge = ""
			_, err = b.Authenticate(t.Context(), c)
			require.NoError(t, err, "both may come at once")

			c.OTP = "123457"
			_, err = b.Authenticate(t.Context(), c)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials)

			c = alice
			c.Password = "guess"
			_, err = b.Authenticate(t.Context(), c)
			require.ErrorIs(t, err, auth.ErrInvalidCredentials, "a wrong password is not asked for more")
			require.NotErrorAs(t, err, &asked)
		})
	}
}

func TestAPromptThatIsShownComesBeforeThePassword(t *testing.T) {
	b := open(t, pam.Config{ServiceDir: acting(t, "on=Code off=Password")})
	_, err := b.Authenticate(t.Context(), alice)
	var asked *auth.Challenge
	require.ErrorAs(t, err, &asked)
	assert.Equal(t, "Code for you:", asked.Prompt)
}

func TestOneTimePasswordsOfOATH(t *testing.T) {
	oath := needs(t, "/usr/lib/*/security/pam_oath.so", "libpam-oath")
	tool := needs(t, "/usr/bin/oathtool", "oathtool")
	const seed = "3132333435363738393031323334353637383930" // of RFC 4226, appendix D
	dir := t.TempDir()
	users, passwords := filepath.Join(dir, "users.oath"), filepath.Join(dir, "passwords")
	require.NoError(t, os.WriteFile(users, []byte("HOTP alice - "+seed+"\n"), 0o600))
	write(t, passwords, "alice:wonder:dcvix\n")
	b := open(t, pam.Config{ServiceDir: service(t, "auth requisite "+matrix(t)+" passdb="+passwords,
		"auth required "+oath+" usersfile="+users+" window=20 digits=6", "account required pam_permit.so")})

	var asked *auth.Challenge
	_, err := b.Authenticate(t.Context(), alice)
	require.ErrorAs(t, err, &asked)
	assert.Equal(t, "One-time password (OATH) for `alice':", asked.Prompt)

	code, err := exec.CommandContext(t.Context(), tool, "--hotp", "--counter=3", seed).Output()
	require.NoError(t, err)
	c := alice
	c.OTP, c.Challenge = auth.Secret(strings.TrimSpace(string(code))), asked.State
	_, err = b.Authenticate(t.Context(), c)
	require.NoError(t, err)
	_, err = b.Authenticate(t.Context(), c)
	require.ErrorIs(t, err, auth.ErrInvalidCredentials, "a code is good once")
}

func TestScriptsOfPAMExec(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n[ \"$PAM_USER/$PAM_TTY/$(tr -d '\\0')\" = alice/dcvix/wonder ]\n"), 0o700))
	exec := "pam_exec.so expose_authtok quiet " + script
	wrong := alice
	wrong.Password = "guess"
	for name, tt := range map[string]struct {
		lines []string
		wrong error
	}{
		"alone it cannot tell a refusal from a failure": {lines: []string{"auth required " + exec}, wrong: auth.ErrUnavailable},
		"with pam_deny it refuses":                      {lines: []string{"auth [success=1 default=ignore] " + exec, "auth requisite pam_deny.so", "auth required pam_permit.so"}, wrong: auth.ErrInvalidCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, pam.Config{ServiceDir: service(t, append(tt.lines, "account required pam_permit.so")...)})
			_, err := b.Authenticate(t.Context(), alice)
			require.NoError(t, err)
			_, err = b.Authenticate(t.Context(), wrong)
			require.ErrorIs(t, err, tt.wrong)
			if errors.Is(tt.wrong, auth.ErrUnavailable) {
				assert.ErrorContains(t, err, "have pam_deny follow it")
			}
		})
	}
}

func TestTheCanonicalNameIsPAMs(t *testing.T) {
	who, err := open(t, pam.Config{ServiceDir: acting(t, "user=alice.liddell")}).Authenticate(t.Context(), alice)
	require.NoError(t, err)
	assert.Equal(t, dcvix.Username("alice.liddell"), who.User)

	_, err = open(t, pam.Config{ServiceDir: acting(t, "baduser")}).Authenticate(t.Context(), alice)
	require.ErrorIs(t, err, auth.ErrUnavailable)
	assert.ErrorContains(t, err, "PAM_USER")
}

func TestPasswordsArriveByteForByteOrNotAtAll(t *testing.T) {
	long := strings.Repeat("x", 511)
	b := open(t, pam.Config{ServiceDir: matrixService(t, "alice:wonder:dcvix\nbob:caf\xe9 \"\\'$:dcvix\n")})
	c := open(t, pam.Config{ServiceDir: acting(t, "off=Password")})
	tests := map[string]struct {
		backend *pam.Backend
		user    string
		with    auth.Secret
		otp     auth.Secret
		want    error
	}{
		"of another encoding":    {backend: b, user: "bob", with: "caf\xe9 \"\\'$"},
		"in UTF-8 instead":       {backend: b, user: "bob", with: "caf\u00e9 \"\\'$", want: auth.ErrInvalidCredentials},
		"with more after a NUL":  {backend: b, user: "alice", with: "wonder\x00land", want: auth.ErrInvalidCredentials},
		"a code with a NUL":      {backend: b, user: "alice", with: "wonder", otp: "1\x002", want: auth.ErrInvalidCredentials},
		"as long as PAM takes":   {backend: c, user: "alice", with: auth.Secret(long)},
		"longer than PAM takes":  {backend: c, user: "alice", with: auth.Secret(long + "x"), want: auth.ErrInvalidCredentials},
		"with a line break":      {backend: b, user: "alice", with: "wonder\n", want: auth.ErrInvalidCredentials},
		"that looks like JSON":   {backend: b, user: "alice", with: `","user":"bob`, want: auth.ErrInvalidCredentials},
		"the one of another":     {backend: b, user: "bob", with: "wonder", want: auth.ErrInvalidCredentials},
		"an empty code is none":  {backend: b, user: "alice", with: "wonder", otp: ""},
		"a code nobody asks for": {backend: b, user: "alice", with: "wonder", otp: "1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := tt.backend.Authenticate(t.Context(), auth.Credentials{User: tt.user, Password: tt.with, OTP: tt.otp})
			assert.ErrorIs(t, err, tt.want)
		})
	}
}

func TestWhatModulesSayIsLoggedBoundedAndWithoutSecrets(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	b := open(t, pam.Config{ServiceDir: acting(t, "off=Password on=Code print chatter"), Logger: logger})
	c := alice
	c.OTP = "987654"

	_, err := b.Authenticate(t.Context(), c)

	require.NoError(t, err)
	assert.Contains(t, log.String(), `msg="pam says" user=alice service=dcvix text="[31mheard [redacted] as Password"`)
	assert.Contains(t, log.String(), `text="[31mheard [redacted] as Code"`)
	assert.NotContains(t, log.String(), "wonder")
	assert.NotContains(t, log.String(), "987654")
	assert.Equal(t, 8, strings.Count(log.String(), "\n"), "so many messages and no more")
	assert.Less(t, log.Len(), 8*400)
}

func TestTheAccountCheckAsksNothing(t *testing.T) {
	b := open(t, pam.Config{ServiceDir: service(t, "auth required pam_permit.so", "account required "+module(t)+" on=Code")})
	for _, otp := range []auth.Secret{"", "987654"} {
		c := alice
		c.OTP = otp
		_, err := b.Authenticate(t.Context(), c)
		require.ErrorIs(t, err, auth.ErrUnavailable)
		require.NotErrorAs(t, err, new(*auth.Challenge))
	}
}

func TestEndlessPromptsEnd(t *testing.T) {
	c := alice
	c.OTP = "1"
	_, err := open(t, pam.Config{ServiceDir: acting(t, "endless")}).Authenticate(t.Context(), c)
	assert.ErrorIs(t, err, auth.ErrUnavailable)
}

// realUser makes a user of the host for one test.
func realUser(t *testing.T, password string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a user and read its password")
	}
	for _, tool := range []string{"useradd", "userdel", "usermod", "chpasswd", "chage"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacking(t, tool+" is missing: install passwd")
		}
	}
	user := fmt.Sprintf("dcvixtest%d", os.Getpid())
	command(t, "", "useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", user)
	t.Cleanup(func() { _ = exec.Command("userdel", user).Run() })
	command(t, user+":"+password+"\n", "chpasswd")
	return user
}

func command(t *testing.T, input, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestRealPasswordsOfTheHost(t *testing.T) {
	user := realUser(t, "looking glass")
	logger, log := logged(t)
	b := open(t, pam.Config{ServiceDir: service(t, "auth required pam_unix.so nodelay", "account required pam_unix.so"), Logger: logger})
	c := auth.Credentials{User: user, Password: "looking glass"}

	who, err := b.Authenticate(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, dcvix.Username(user), who.User)

	wrong, unknown := c, c
	wrong.Password, unknown.User = "looking", "no-such-user-2f1c"
	for _, c := range []auth.Credentials{wrong, unknown} {
		_, err = b.Authenticate(t.Context(), c)
		require.EqualError(t, err, auth.ErrInvalidCredentials.Error())
	}
	command(t, "", "passwd", "-d", user)
	open := open(t, pam.Config{ServiceDir: service(t, "auth required pam_unix.so nullok nodelay", "account required pam_unix.so"), Logger: logger})
	_, err = open.Authenticate(t.Context(), c)
	require.EqualError(t, err, auth.ErrInvalidCredentials.Error(), "an account without a password lets nobody in, also with nullok")
	command(t, user+":looking glass\n", "chpasswd")
	for _, change := range []struct {
		args []string
		log  string
	}{
		{args: []string{"chage", "-d", "0", user}, log: "phase=account result=new_authtok_reqd"},
		{args: []string{"chage", "-d", "2026-01-01", "-E", "2020-01-01", user}, log: "phase=account result=acct_expired"},
		{args: []string{"usermod", "-L", "-e", "", user}, log: "phase=authenticate result=auth_err"},
	} {
		command(t, "", change.args[0], change.args[1:]...)
		log.Reset()
		_, err = b.Authenticate(t.Context(), c)
		require.EqualError(t, err, auth.ErrInvalidCredentials.Error())
		assert.Contains(t, log.String(), change.log)
	}
}

// TestWhoMayReadThePasswordsOfTheHost holds what docs/authentication.md says of a
// director that is not root.
func TestWhoMayReadThePasswordsOfTheHost(t *testing.T) {
	name := realUser(t, "looking glass")
	shadow, err := user.LookupGroup("shadow")
	if err != nil {
		t.Skip("this host has no group shadow, as Debian has")
	}
	group, err := strconv.Atoi(shadow.Gid)
	require.NoError(t, err)
	dir := service(t, "auth required pam_unix.so nodelay", "account required pam_unix.so")
	for folder := dir; folder != os.TempDir(); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755))
	}
	line, err := conversation.Line(conversation.Request{
		Version: conversation.Version, Service: "dcvix", ServiceDir: dir, User: name, Password: []byte("looking glass"),
	}, conversation.MaxRequest)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		groups []uint32
		want   string
	}{
		"nobody":                    {want: "authinfo_unavail"},
		"nobody, in a group shadow": {groups: []uint32{uint32(group)}, want: "success"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), helper(t))
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, Groups: tt.groups}}
			stdin, err := cmd.StdinPipe()
			require.NoError(t, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			_, err = stdin.Write(line)
			require.NoError(t, err)
			text, err := io.ReadAll(stdout)
			require.NoError(t, err)
			require.NoError(t, cmd.Wait())
			answer, err := conversation.ParseAnswer(text)
			require.NoError(t, err)
			assert.Equal(t, conversation.Result(tt.want), answer.Result)
		})
	}
}
