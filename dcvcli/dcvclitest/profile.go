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

	// DocLiteral is a Linux host that prints the keys and the forms of the samples
	// in the Administrator Guide ("Viewing Amazon DCV sessions") and no others: no
	// user, status and licensing-mode, times without a fraction, a name even when
	// there is none, ids without quotes.
	DocLiteral Profile = "doc-literal"
)

// AllProfiles returns every profile once.
func AllProfiles() []Profile {
	return []Profile{Linux2025, Linux2023, Windows2025, MacOS2025, DocLiteral}
}

// release is what differs between the profiles.
type release struct {
	product  string // the name in "dcv version"
	version  string
	build    int
	platform string // as runtime.GOOS has it
	root     string // the account that may do everything
	literal  bool   // print as the documented samples are
}

func (p Profile) release() (release, error) {
	switch p {
	case Linux2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20103, platform: "linux", root: "root"}, nil
	case Linux2023:
		return release{product: "NICE DCV", version: "2023.1", build: 16388, platform: "linux", root: "root"}, nil
	case Windows2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20103, platform: "windows", root: "Administrator"}, nil
	case MacOS2025:
		return release{product: "Amazon DCV", version: "2025.0", build: 20177, platform: "darwin", root: "root"}, nil
	case DocLiteral:
		return release{product: "Amazon DCV", version: "2025.0", build: 20103, platform: "linux", root: "root", literal: true}, nil
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
