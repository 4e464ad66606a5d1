package directorcmd

import (
	"errors"
	"strings"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
	"github.com/dcvix/dcvix/directorapi"
	"github.com/dcvix/dcvix/directorapi/standalone"
	"github.com/dcvix/dcvix/session"
)

// networkConfig is who is who on the network: gateways, proxies and DCV servers.
type networkConfig struct {
	trustedProxies []string
	basePath       string
	maxConnections int
	verifierSource string
	userConfigKeys []string
	gateways       []string
	endpoint       string
}

func (n *networkConfig) declare(set *inifile.Set) {
	s := set.Section("director")
	s.Int(&n.maxConnections, "max_connections_per_address", 1024, "how many connections one address may have open; those of registered agents and of trusted_proxies do not count").Range(1, 1_000_000)
	s.List(&n.trustedProxies, "trusted_proxies", "", "addresses and networks of proxies in front, which set X-Forwarded-For or Forwarded to where a request comes from").Check(checkPrefixes)
	s.String(&n.basePath, "base_path", "", "prefix that pages and API are reached below too, such as /desktops").Check(directorapi.CheckBasePath)
	s.Enum(&n.verifierSource, "verifier_source", string(directorapi.SourceLog), "what follows when a DCV server asks about a token for a session id that repeats, such as console, from another address than its agent's; behind address translation it is always so",
		string(directorapi.SourceEnforce), string(directorapi.SourceLog), string(directorapi.SourceOff))
	s.List(&n.userConfigKeys, "user_config_keys", "", "what users may set on a DCV server besides display/quality, as section/key").Check(checkSettings)
	g := set.Section("gateway")
	g.List(&n.gateways, "gateways_list", "127.0.0.1", "addresses and networks of connection gateways, which may ask where a session is; empty for none").Check(checkPrefixes)
	g.String(&n.endpoint, "endpoint", "", "host:port of the gateway that viewers connect to; empty for the host itself").Check(directorapi.CheckEndpoint)
}

func checkPrefixes(value string) error {
	_, err := directorapi.ParsePrefixes(split(value))
	return err
}

func checkSettings(value string) error {
	_, err := parseSettings(split(value))
	return err
}

// split returns the entries of a list as package inifile does.
func split(value string) []string {
	var list []string
	for s := range strings.SplitSeq(value, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func parseSettings(list []string) ([]session.SettingName, error) {
	names := make([]session.SettingName, 0, len(list))
	for _, s := range list {
		name, err := session.ParseSettingName(s)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// apply puts what was read into the options of a director.
func (n *networkConfig) apply(o *standalone.Options) error {
	proxies, err := directorapi.ParsePrefixes(n.trustedProxies)
	gateways, err2 := directorapi.ParsePrefixes(n.gateways)
	settings, err3 := parseSettings(n.userConfigKeys)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	o.TrustedProxies, o.Gateways, o.UserSettings = proxies, gateways, settings
	o.BasePath, o.GatewayEndpoint, o.MaxConnections = n.basePath, n.endpoint, n.maxConnections
	o.VerifierSource = directorapi.SourceCheck(n.verifierSource)
	return nil
}
