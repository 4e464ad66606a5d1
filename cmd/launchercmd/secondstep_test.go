package launchercmd_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
	"github.com/dcvix/dcvix/auth/privacyidea"
	"github.com/dcvix/dcvix/auth/privacyidea/privacyideatest"
	"github.com/dcvix/dcvix/cmd/launchercmd"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
)

// The other tests say what the launcher does with any answer; this is a real
// director with a privacyIDEA server behind it.
func TestASecondStepAtARealDirector(t *testing.T) {
	pi := privacyideatest.NewServer(t, privacyideatest.Config{})
	token := pi.AddToken(directorapitest.Alice, directorapitest.Password, privacyideatest.HOTP).Asks("Code of your token")
	verifier, err := privacyidea.New(privacyidea.Config{URL: pi.URL, CAs: pi.CAs()})
	require.NoError(t, err)
	director := directorapitest.NewServer(t, directorapitest.WithAPI(func(c *directorapi.Config) {
		c.Authenticator, c.OTP = auth.WithOTP(c.Authenticator, verifier), dcvix.OTPOptional
	}))
	tests := map[string]struct {
		args    []string
		answers []string
		prompts []string
		code    int
	}{
		"asked for the code": {answers: []string{directorapitest.Password, token.Code()}, prompts: []string{"Password of alice true", "Code of your token true"}},
		"a wrong code":       {answers: []string{directorapitest.Password, "1"}, prompts: []string{"Password of alice true", "Code of your token true"}, code: launchercmd.ExitRefused},
		"a wrong password":   {answers: []string{"guess"}, prompts: []string{"Password of alice true"}, code: launchercmd.ExitRefused},
		"the code at once":   {args: []string{"--otp", token.Code()}, answers: []string{directorapitest.Password}, prompts: []string{"Password of alice true"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			conf := filepath.Join(dir, "dcvix-launcher.conf")
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), director.CA.PEM(), 0o600))
			text := "[dcvix-launcher]\nbroker = " + director.URL + "\nca-file = ca.pem\n"
			require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
			person := &answers{lines: tt.answers}

			r := launch(t, launchercmd.Options{Args: append([]string{"--conf", conf, "--list", "--user", "alice"}, tt.args...), Terminal: person})

			assert.Equal(t, tt.code, r.code, r.stderr)
			assert.Equal(t, tt.prompts, person.prompts)
			if tt.code == 0 {
				assert.Contains(t, r.stdout, "ws1")
			}
		})
	}
}
