package dcvconf

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// The registry of the account LocalSystem, which runs the DCV server, and where
// what was replaced is noted.
const (
	settingsKey = `S-1-5-18\Software\GSettings\com\nicesoftware\dcv`
	recordKey   = `SOFTWARE\dcvix`
	recordName  = "ReplacedInDCV"
)

// OpenMachine returns the settings of the DCV server of this machine: the file
// [DefaultPath], or on Windows the registry of the account that runs the server.
// The error wraps [io/fs.ErrNotExist] when there are none, as without a DCV server.
func OpenMachine() (*Settings, error) {
	return openRegistry(&values{
		root: registry.USERS, path: settingsKey, name: `HKEY_USERS\` + settingsKey,
		recordRoot: registry.LOCAL_MACHINE, recordPath: recordKey,
	})
}

func openRegistry(v *values) (*Settings, error) {
	key, err := registry.OpenKey(v.root, v.path, registry.QUERY_VALUE)
	if err != nil {
		return nil, fmt.Errorf("read the settings of DCV in %s: %w", v.name, err)
	}
	if err := key.Close(); err != nil {
		return nil, fmt.Errorf("read the settings of DCV in %s: %w", v.name, err)
	}
	v.pending = make(map[setting]*Value)
	return &Settings{store: v}, nil
}

// values is a [store] in the registry: texts are REG_SZ, switches and numbers
// REG_DWORD. Several values are not written in one step; what was written before a
// failure is on record.
type values struct {
	root       registry.Key
	path, name string
	recordRoot registry.Key
	recordPath string
	pending    map[setting]*Value // without their before; nil means removed
}

func (v *values) where() string { return v.name }

// in returns the key of a section, whose slashes are levels.
func (v *values) in(section string) string {
	return v.path + `\` + strings.ReplaceAll(section, "/", `\`)
}

func (v *values) get(section, key string) (Value, bool) {
	if changed, ok := v.pending[setting{section: section, key: key}]; ok {
		if changed == nil {
			return "", false
		}
		return *changed, true
	}
	k, err := registry.OpenKey(v.root, v.in(section), registry.QUERY_VALUE)
	if err != nil {
		return "", false
	}
	defer k.Close() //nolint:errcheck // only read from
	if text, _, err := k.GetStringValue(key); err == nil {
		return Text(text), true
	}
	if n, _, err := k.GetIntegerValue(key); err == nil {
		return Number(int64(n)), true //nolint:gosec // a DWORD has room
	}
	return "", false
}

func (v *values) set(section, key string, value Value) {
	v.pending[setting{section: section, key: key}] = &value
}

func (v *values) unset(section, key string) {
	v.pending[setting{section: section, key: key}] = nil
}

func (v *values) save() error {
	for at, value := range v.pending {
		if err := v.write(at, value); err != nil {
			return fmt.Errorf("write %s in %s: %w", at.key, v.in(at.section), err)
		}
	}
	clear(v.pending)
	return nil
}

func (v *values) write(at setting, value *Value) error {
	k, _, err := registry.CreateKey(v.root, v.in(at.section), registry.SET_VALUE)
	if err != nil {
		return err
	}
	defer k.Close() //nolint:errcheck // a write has reported its error
	if value == nil {
		if err := k.DeleteValue(at.key); !errors.Is(err, registry.ErrNotExist) {
			return err
		}
		return nil
	}
	if text, ok := value.AsText(); ok {
		return k.SetStringValue(at.key, text)
	}
	if on, ok := value.AsBool(); ok {
		n := uint32(0)
		if on {
			n = 1
		}
		return k.SetDWordValue(at.key, n)
	}
	n, ok := value.AsNumber()
	if !ok || n < 0 || n > 1<<32-1 {
		return fmt.Errorf("%s is neither text, switch nor number", string(*value))
	}
	return k.SetDWordValue(at.key, uint32(n))
}

func (v *values) prepare() error           { return nil }
func (v *values) sum() (now, saved string) { return "", "" }
func (v *values) restore(string) bool      { return false }

func (v *values) record() ([]byte, error) {
	k, err := registry.OpenKey(v.recordRoot, v.recordPath, registry.QUERY_VALUE)
	if err != nil {
		return nil, err
	}
	defer k.Close() //nolint:errcheck // only read from
	text, _, err := k.GetStringValue(recordName)
	return []byte(text), err
}

func (v *values) keep(text []byte) error {
	k, _, err := registry.CreateKey(v.recordRoot, v.recordPath, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("note the changes: %w", err)
	}
	defer k.Close() //nolint:errcheck // the write below has reported its error
	return k.SetStringValue(recordName, string(text))
}

func (v *values) forget() error {
	k, err := registry.OpenKey(v.recordRoot, v.recordPath, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("forget the changes that were undone: %w", err)
	}
	defer k.Close() //nolint:errcheck // the removal below has reported its error
	return k.DeleteValue(recordName)
}
