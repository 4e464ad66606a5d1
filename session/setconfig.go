package session

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dcvix/dcvix"
)

// MaxSettings is how many settings one [Broker.SetConfig] takes.
const MaxSettings = 16

// maxSetting is how many bytes a value has at most.
const maxSetting = 1024

// A SettingName names a parameter of a DCV server's configuration.
type SettingName struct {
	Section string // such as "display", or "session-management/defaults"
	Key     string // such as "quality"
}

var settingForm = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*(?:/[a-z0-9][a-z0-9-]*)*)/([a-z0-9][a-z0-9-]*)$`)

// ParseSettingName reads section/key, such as "display/target-fps". The key is what
// comes after the last slash.
func ParseSettingName(s string) (SettingName, error) {
	parts := settingForm.FindStringSubmatch(s)
	if len(s) > 200 || parts == nil {
		return SettingName{}, fmt.Errorf("%.80q names no setting: write section/key, such as display/target-fps", s)
	}
	return SettingName{Section: parts[1], Key: parts[2]}, nil
}

// String returns section/key.
func (n SettingName) String() string { return n.Section + "/" + n.Key }

// SetConfig changes settings of the DCV server of a host that who may use. The
// settings must be of those that users may make: display/quality as (a, b) with
// 0 ≤ a ≤ b ≤ 100, and the UserSettings of [Config]; admins may make no others here.
//
// A setting is the whole host's, so it is made only while nobody else has a session
// there; else applied is false without an error. The errors wrap [ErrInvalid],
// [ErrForbidden], [ErrNotFound], [ErrAgentFailed] and [ErrAgentTimeout].
func (b *Broker) SetConfig(ctx context.Context, who Actor, server string, settings []dcvix.Setting) (applied bool, err error) {
	a, err := b.allowed(who, server)
	if err != nil {
		return false, err
	}
	if len(settings) == 0 || len(settings) > MaxSettings {
		return false, fmt.Errorf("%d settings, where 1 to %d are taken: %w", len(settings), MaxSettings, ErrInvalid)
	}
	push := make([]dcvix.Setting, len(settings))
	for i, s := range settings {
		if push[i], err = b.userSetting(s); err != nil {
			return false, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.ActDeadline)
	defer cancel()
	if err := b.ask(ctx, a); err != nil {
		return false, err
	}
	host, _ := b.fleet.Host(a.ID)
	if slices.ContainsFunc(host.Sessions, func(s dcvix.Session) bool { return !b.same(s.Owner, who.User) }) {
		b.cfg.Logger.InfoContext(ctx, "settings not pushed: somebody else has a session on the host",
			slog.String("user", string(who.User)), slog.String("hostname", string(a.Hostname)))
		return false, nil
	}
	ctx, end, err := b.call(ctx, a.ID)
	if err != nil {
		return false, noHost(a)
	}
	defer end()
	if err := b.cfg.Agents.SetConfig(ctx, a, push); err != nil {
		return false, fmt.Errorf("push settings to %s: %w", a.Hostname, err)
	}
	return true, nil
}

// userSetting returns the setting as it is pushed, if users may make it.
func (b *Broker) userSetting(s dcvix.Setting) (dcvix.Setting, error) {
	name := SettingName{Section: s.Section, Key: s.Key}
	if name.String() == "display/quality" { // launchers push it before each connection
		low, high, ok := parsePair(s.Value)
		if !ok || low > high || high > 100 {
			return dcvix.Setting{}, fmt.Errorf("%s = %.80q is not two percentages in order, such as (30, 80): %w", name, s.Value, ErrForbidden)
		}
		s.Value = fmt.Sprintf("(%d, %d)", low, high)
		return s, nil
	}
	switch {
	case !slices.Contains(b.cfg.UserSettings, name):
		return dcvix.Setting{}, fmt.Errorf("setting %.200q of users: %w", name.String(), ErrForbidden)
	case s.Value == "" || len(s.Value) > maxSetting || !utf8.ValidString(s.Value) || strings.ContainsFunc(s.Value, unicode.IsControl):
		return dcvix.Setting{}, fmt.Errorf("value of %s: 1 to %d bytes on one line are taken: %w", name, maxSetting, ErrForbidden)
	}
	return s, nil
}

// parsePair reads a pair of whole numbers that are not negative, in GVariant's text
// form ("GVariant Text Format" in GLib's manual), where a leading 0 would be octal.
func parsePair(s string) (a, b int, ok bool) {
	inner, open := strings.CutPrefix(strings.Trim(s, " "), "(")
	inner, closed := strings.CutSuffix(inner, ")")
	first, second, two := strings.Cut(inner, ",")
	if !open || !closed || !two {
		return 0, 0, false
	}
	a, aOK := parseNatural(first)
	b, bOK := parseNatural(second)
	return a, b, aOK && bOK
}

func parseNatural(s string) (int, bool) {
	s = strings.Trim(s, " ")
	n, err := strconv.Atoi(s)
	return n, err == nil && s == strconv.Itoa(n) && n >= 0
}
