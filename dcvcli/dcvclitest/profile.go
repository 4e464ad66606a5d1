package dcvclitest

import (
	"fmt"
	"strings"
)

// A Profile is a release of DCV on a platform.
type Profile string

// The profiles that the fake knows.
const (
	Linux2025   Profile = "2025.0-linux-virtual" // the default
	Linux2023   Profile = "2023.1-linux"
	Windows2025 Profile = "2025.0-windows"
	MacOS2025   Profile = "2025.0-macos"
)

// release is what differs between the profiles.
type release struct {
	product  string // the name in "dcv version"
	version  string
	build    int
	platform string // as runtime.GOOS has it
	admin    string // the caller of the command, who owns what has no --owner
}

func (p Profile) release() (release, error) {
	switch p {
	case Linux2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20103, platform: "linux", admin: "root"}, nil
	case Linux2023:
		return release{product: "NICE DCV", version: "2023.1", build: 16388, platform: "linux", admin: "root"}, nil
	case Windows2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20103, platform: "windows", admin: "Administrator"}, nil
	case MacOS2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20177, platform: "darwin", admin: "root"}, nil
	default:
		return release{}, fmt.Errorf("profile %.40q is not known", string(p))
	}
}

// Platform returns the profile's platform as [dcvcli.Config] takes it, and ""
// for a profile that is not known.
func (p Profile) Platform() string {
	r, err := p.release()
	if err != nil {
		return ""
	}
	return r.platform
}

// sameUser reports whether two names are one account. Windows servers compare
// without case and take the domain off (release notes of 2022.0-11954).
func (r release) sameUser(a, b string) bool {
	if r.platform != "windows" {
		return a == b
	}
	return strings.EqualFold(withoutDomain(a), withoutDomain(b))
}

func withoutDomain(name string) string {
	if _, after, ok := strings.Cut(name, `\`); ok {
		return after
	}
	return name
}
