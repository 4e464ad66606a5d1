package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dcvix/dcvix/dcvcli/dcvclitest"
)

// parseConnectionFile reads a .dcv file as the User Guide describes it: groups
// and case-sensitive keys, values without quotes to the end of their line, and
// the format 1.0 in the group version. An INI library would take a "#" inside a
// token for a comment.
func parseConnectionFile(text []byte) (to dcvclitest.Target, policy string, err error) {
	values, err := keyValues(string(text))
	if err != nil {
		return to, "", err
	}
	if format := values["version/format"]; format != "1.0" {
		return to, "", fmt.Errorf("[version] format is %.40q, not 1.0", format)
	}
	to = dcvclitest.Target{
		Host:    values["connect/host"],
		Port:    8443,
		Session: values["connect/sessionid"],
		Token:   values["connect/authtoken"],
	}
	if port, ok := values["connect/port"]; ok {
		if to.Port, err = strconv.Atoi(port); err != nil || to.Port < 1 || to.Port > 65535 {
			return to, "", fmt.Errorf("[connect] port %.40q is not a port", port)
		}
	}
	if to.Host == "" || to.Session == "" || to.Token == "" {
		return to, "", errors.New("[connect] needs host, sessionid and authtoken: the fake knows no passwords")
	}
	switch policy = values["connect/certificatevalidationpolicy"]; policy {
	case "", "ask-user", "accept-untrusted", "strict":
		return to, policy, nil
	default:
		return to, "", fmt.Errorf("[connect] certificatevalidationpolicy %.40q is none", policy)
	}
}

// keyValues returns the values of a key file as "group/key". Its errors name
// lines by number alone, for a line may be a secret.
func keyValues(text string) (map[string]string, error) {
	const limit = 64 << 10
	if len(text) > limit {
		return nil, errors.New("it is too long")
	}
	values := map[string]string{}
	group := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[' && line[len(line)-1] == ']':
			group = line[1 : len(line)-1]
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || group == "" {
				return nil, fmt.Errorf("line %d is no group and no key=value of one", number)
			}
			values[group+"/"+strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return values, nil
}
