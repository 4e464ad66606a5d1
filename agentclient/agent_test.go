package agentclient_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/agentclient"
	"github.com/dcvix/dcvix/agentclient/agentclienttest"
	"github.com/dcvix/dcvix/dcvcli"
)

func goodConfig(t testing.TB) agentclient.Config {
	cli, err := dcvcli.New(dcvcli.Config{})
	require.NoError(t, err)
	return agentclient.Config{
		DirectorURL: "https://director.example:8445",
		StateDir:    "state",
		Hostname:    "WS1.lab.example.",
		DCV:         cli,
		Stats:       agentclienttest.Stats{},
	}
}

func TestNewNamesWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		change func(*agentclient.Config)
		want   []string // none: it is good
	}{
		"the least there is":   {change: func(*agentclient.Config) {}},
		"a URL without a port": {change: func(c *agentclient.Config) { c.DirectorURL = "https://director.example" }},
		"a URL with a prefix":  {change: func(c *agentclient.Config) { c.DirectorURL = "https://director.example/dcv/" }},
		"an IPv6 director":     {change: func(c *agentclient.Config) { c.DirectorURL = "https://[::1]:8445" }},
		"a fingerprint without colon": {change: func(c *agentclient.Config) {
			c.CAFingerprint = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
		}},
		"nothing":               {change: func(c *agentclient.Config) { *c = agentclient.Config{} }, want: []string{"StateDir", "DCV", "Stats", "the director's URL", "the name of this host"}},
		"plain HTTP":            {change: func(c *agentclient.Config) { c.DirectorURL = "http://director.example" }, want: []string{"https://host:port"}},
		"a URL with a password": {change: func(c *agentclient.Config) { c.DirectorURL = "https://a:b@director.example" }, want: []string{"the director's URL"}},
		"no host name":          {change: func(c *agentclient.Config) { c.Hostname = "my_host" }, want: []string{"my_host"}},
		"a bad fingerprint":     {change: func(c *agentclient.Config) { c.CAFingerprint = "12:34" }, want: []string{"fingerprint of the director's CA"}},
		"a privileged port":     {change: func(c *agentclient.Config) { c.AgentPort = 443 }, want: []string{"from 1024 to 65535"}},
		"a bad web port":        {change: func(c *agentclient.Config) { c.DCVPort = 70000 }, want: []string{"port of the DCV server"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := goodConfig(t)
			tt.change(&cfg)
			agent, err := agentclient.New(cfg)
			if tt.want == nil {
				require.NoError(t, err)
				assert.Equal(t, agentclient.Status{State: agentclient.Unenrolled}, agent.Status())
				assert.NoDirExists(t, "state", "New starts nothing")
				return
			}
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}
