package conversation_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/auth/pam/conversation"
)

func TestAServiceIsUsedOnlyWhenItIsWhole(t *testing.T) {
	const whole = "auth required pam_unix.so\naccount required pam_unix.so\n"
	tests := map[string]struct {
		service string // "" means svc
		files   map[string]string
		want    string // "" means whole; DIR stands for the folder
	}{
		"both kinds":                   {files: map[string]string{"svc": whole}},
		"in capitals and optional":     {files: map[string]string{"svc": "-AUTH required x.so\n  Account [default=die] x.so # why\n"}},
		"over two lines":               {files: map[string]string{"svc": "auth \\\n required x.so\naccount\\\n required x.so\n"}},
		"through an include":           {files: map[string]string{"svc": "@include common\n", "common": whole}},
		"through includes by kind":     {files: map[string]string{"svc": "auth include common\naccount substack common\n", "common": whole}},
		"through a chain":              {files: map[string]string{"svc": "@include a\n", "a": "@include b\n", "b": whole}},
		"by an absolute path":          {files: map[string]string{"svc": "@include DIR/a\n", "a": whole}},
		"missing":                      {service: "none", want: "there is no PAM service none: write the file DIR/none, or name another service"},
		"empty":                        {files: map[string]string{"svc": ""}, want: `the PAM service svc has no line for "auth", and PAM would take those of the service "other": add one to DIR/svc`},
		"comments alone":               {files: map[string]string{"svc": "# auth required x.so\n#account required x.so\n"}, want: `has no line for "auth"`},
		"without auth":                 {files: map[string]string{"svc": "account required x.so\nsession required x.so\n"}, want: `has no line for "auth"`},
		"without account":              {files: map[string]string{"svc": "auth required x.so\nsession required x.so\n"}, want: `has no line for "account"`},
		"words that are no line":       {files: map[string]string{"svc": "auth\naccount\n"}, want: `has no line for "auth"`},
		"an include that is missing":   {files: map[string]string{"svc": "@include none\n" + whole}, want: "the PAM service svc cannot be used: DIR/svc: the file none is missing"},
		"an include of another kind":   {files: map[string]string{"svc": "auth include a\naccount include a\n", "a": "account required x.so\n"}, want: `has no line for "auth"`},
		"an include of one kind alone": {files: map[string]string{"svc": "auth include a\n", "a": whole}, want: `has no line for "account"`},
		"a circle":                     {files: map[string]string{"svc": "@include svc\n"}, want: "look for a circle in DIR/svc"},
		"a circle by kind":             {files: map[string]string{"svc": "auth include b\n", "b": "auth include svc\n"}, want: "look for a circle"},
		"a folder":                     {files: map[string]string{"svc/x": ""}, want: "the PAM service svc cannot be used"},
		"too large":                    {files: map[string]string{"svc": strings.Repeat("# nothing\n", 10_000)}, want: "it has more than 64 KiB"},
		"a name with a slash":          {service: "../svc", want: `"../svc" is no name for a PAM service`},
		"a name in capitals":           {service: "SVC", files: map[string]string{"SVC": whole}, want: "use lower-case letters"},
		"a name that is hidden":        {service: ".svc", want: "is no name for a PAM service"},
		"a name like an option":        {service: "-svc", want: "is no name for a PAM service"},
		"a name with a line break":     {service: "svc\n", want: "is no name for a PAM service"},
		"a name that is far too long":  {service: strings.Repeat("s", 65), want: "is no name for a PAM service"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.files {
				path := filepath.Join(dir, file)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
				require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600))
			}
			service := tt.service
			if service == "" {
				service = "svc"
			}
			err := conversation.CheckService(dir, service)
			if tt.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, strings.ReplaceAll(tt.want, "DIR", dir))
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestTheSystemsServicesAreFound(t *testing.T) {
	if _, err := os.Stat("/etc/pam.d/login"); err != nil {
		t.Skip("this host has no service login")
	}
	assert.NoError(t, conversation.CheckService("", "login"))
	assert.ErrorContains(t, conversation.CheckService("", "no-such-service-2f1c"), "write the file /etc/pam.d/no-such-service-2f1c")
}

func TestManyIncludesAreBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range 70 {
		next := "@include s" + strconv.Itoa(i+1) + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "s"+strconv.Itoa(i)), []byte(next), 0o600))
	}
	assert.ErrorContains(t, conversation.CheckService(dir, "s0"), "more than 64 files")
}

func FuzzCheckService(f *testing.F) {
	f.Add([]byte("auth required pam_unix.so\naccount required pam_unix.so\n"))
	f.Add([]byte("@include svc\n-auth include \\\nsvc\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "svc"), text, 0o600))
		if err := conversation.CheckService(dir, "svc"); err == nil {
			low := strings.ToLower(string(text))
			assert.True(t, strings.Contains(low, "auth") && strings.Contains(low, "account") || strings.Contains(low, "@include"), "%q", text)
		}
	})
}
