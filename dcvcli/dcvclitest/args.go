package dcvclitest

import (
	"errors"
	"fmt"
	"strings"
)

// options says which options a verb takes; true are those that take a value.
type options map[string]bool

// arguments are those of one command after its verb.
type arguments struct {
	options    map[string]string // names without dashes
	positional []string
}

// parseArgs reads arguments as the real command does: "--name value" and
// "--name=value", options and positional arguments in any order, and "--" before
// arguments that look like options. -j and -o are --json and --output.
func parseArgs(args []string, known options) (arguments, error) {
	parsed := arguments{options: map[string]string{}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		if arg == "--" {
			parsed.positional = append(parsed.positional, args...)
			return parsed, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			parsed.positional = append(parsed.positional, arg)
			continue
		}
		name, value, joined := strings.Cut(long(arg), "=")
		takesValue, ok := known[name]
		switch {
		case !ok:
			return arguments{}, fmt.Errorf("unknown option %s", arg)
		case !takesValue && joined:
			return arguments{}, fmt.Errorf("option --%s takes no value", name)
		case takesValue && !joined && len(args) == 0:
			return arguments{}, fmt.Errorf("option --%s needs a value", name)
		case takesValue && !joined:
			value, args = args[0], args[1:]
		}
		parsed.options[name] = value
	}
	return parsed, nil
}

func long(option string) string {
	switch option {
	case "-j":
		return "json"
	case "-o":
		return "output"
	}
	name, isLong := strings.CutPrefix(option, "--")
	if !isLong {
		return option // no other short ones are known
	}
	return name
}

func (a arguments) has(name string) bool {
	_, ok := a.options[name]
	return ok
}

// id returns the one positional argument that most verbs need.
func (a arguments) id() (string, error) {
	switch {
	case len(a.positional) == 0 || a.positional[0] == "":
		return "", errors.New("the session id is missing")
	case len(a.positional) > 1:
		return "", fmt.Errorf("one session id is enough, there is also %q", a.positional[1])
	}
	return a.positional[0], nil
}
