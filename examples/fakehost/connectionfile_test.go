package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

const documented = `[version]
format=1.0

[connect]
host=ws-31.lab.test
port=9443
webport=9443
sessionid=cad-0077
authtoken=v4.local.a#b;c=d"e%(f)s\
user=alice
certificatevalidationpolicy=strict

[options]
fullscreen=false
`

func TestConnectionFileIsReadToTheLetter(t *testing.T) {
	tests := map[string]struct {
		text   string
		want   dcvclitest.Target
		policy string
	}{
		"every documented trap": {
			text:   documented,
			want:   dcvclitest.Target{Host: "ws-31.lab.test", Port: 9443, Session: "cad-0077", Token: `v4.local.a#b;c=d"e%(f)s\`},
			policy: "strict",
		},
		"defaults, version last, Windows lines": {
			text: "# by hand\r\n[connect]\r\nhost = h\r\nsessionid=s\r\nauthtoken=t\r\n[version]\r\nformat=1.0",
			want: dcvclitest.Target{Host: "h", Port: 8443, Session: "s", Token: "t"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, policy, err := parseConnectionFile([]byte(tt.text))
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.policy, policy)
		})
	}
}

func TestConnectionFileIsRefused(t *testing.T) {
	tests := map[string]string{
		"empty":                  "",
		"no version":             "[connect]\nhost=h\nsessionid=s\nauthtoken=t",
		"another version":        "[version]\nformat=2.0\n[connect]\nhost=h\nsessionid=s\nauthtoken=t",
		"keys of another case":   "[version]\nformat=1.0\n[connect]\nhost=h\nsessionId=s\nauthToken=t",
		"no session to a token":  "[version]\nformat=1.0\n[connect]\nhost=h\nauthtoken=t",
		"a port that is none":    "[version]\nformat=1.0\n[connect]\nhost=h\nport=70000\nsessionid=s\nauthtoken=t",
		"a policy that is none":  "[version]\nformat=1.0\n[connect]\nhost=h\nsessionid=s\nauthtoken=t\ncertificatevalidationpolicy=never",
		"a key outside of group": "s3cret=t\n[version]\nformat=1.0",
		"prose":                  "[version]\ns3cret",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := parseConnectionFile([]byte(text))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "s3cret")
		})
	}
}

func FuzzConnectionFile(f *testing.F) {
	f.Add([]byte(documented))
	f.Add([]byte("[version]\nformat=1.0\n[]\n="))
	f.Fuzz(func(t *testing.T, text []byte) {
		to, _, err := parseConnectionFile(text)
		if err == nil {
			assert.NotEmpty(t, to.Host)
			assert.NotEmpty(t, to.Session)
			assert.NotEmpty(t, to.Token)
			assert.Positive(t, to.Port)
		}
	})
}
