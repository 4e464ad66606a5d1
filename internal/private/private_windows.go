package private

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

func openFile(path string, flag int) (*os.File, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	attributes, err := ownersAlone("")
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	handle, err := windows.CreateFile(name, access(flag), windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		attributes, disposition(flag), windows.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

// access and disposition say in the words of CreateFile what package os means.
func access(flag int) uint32 {
	var mask uint32
	switch flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) {
	case os.O_WRONLY:
		mask = windows.GENERIC_WRITE
	case os.O_RDWR:
		mask = windows.GENERIC_READ | windows.GENERIC_WRITE
	default:
		mask = windows.GENERIC_READ
	}
	if flag&os.O_APPEND != 0 { // what is in GENERIC_WRITE, but for FILE_WRITE_DATA
		mask &^= windows.GENERIC_WRITE
		mask |= windows.FILE_APPEND_DATA | windows.FILE_WRITE_ATTRIBUTES | windows.FILE_WRITE_EA | windows.READ_CONTROL | windows.SYNCHRONIZE
	}
	return mask
}

func disposition(flag int) uint32 {
	switch {
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return windows.CREATE_NEW
	case flag&os.O_CREATE != 0 && flag&os.O_TRUNC != 0:
		return windows.CREATE_ALWAYS
	case flag&os.O_CREATE != 0:
		return windows.OPEN_ALWAYS
	case flag&os.O_TRUNC != 0:
		return windows.TRUNCATE_EXISTING
	default:
		return windows.OPEN_EXISTING
	}
}

func mkdirAll(path string) error {
	if info, err := os.Stat(path); err == nil {
		if !info.IsDir() {
			return &os.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
		}
		return nil
	}
	if parent := filepath.Dir(path); parent != path {
		if err := mkdirAll(parent); err != nil {
			return err
		}
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	attributes, err := ownersAlone("OICI") // object inherit, container inherit: what is made below gets it too
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	if err := windows.CreateDirectory(name, attributes); err != nil {
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() { // somebody else was quicker
			return nil
		}
		return &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return nil
}

func remedy(path string) (string, error) {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", &os.PathError{Op: "read the access list of", Path: path, Err: err}
	}
	account, err := accountOfProcess()
	if err != nil {
		return "", err
	}
	wide, strangers, err := others(sd, account)
	if err != nil {
		return "", &os.PathError{Op: "read the access list of", Path: path, Err: err}
	}
	return command(path, account, wide, strangers), nil
}

// command is what an administrator types (learn.microsoft.com, icacls). Accounts
// stand in it by their SID, because their names depend on the language of Windows.
func command(path string, account *windows.SID, wide bool, strangers []*windows.SID) string {
	if !wide && len(strangers) == 0 {
		return ""
	}
	keep := fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *%s:F`, path, account)
	if wide { // there is no list to take anybody from: the folder's comes first
		return fmt.Sprintf(`icacls "%s" /reset, then %s`, path, keep)
	}
	var b strings.Builder
	b.WriteString(keep + " /remove:g")
	for _, sid := range strangers {
		b.WriteString(" *" + sid.String())
	}
	return b.String()
}

// Rights with which one reads or writes a file, or gives oneself the right to.
const readOrWrite = windows.FILE_READ_DATA | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA |
	windows.WRITE_DAC | windows.WRITE_OWNER | windows.MAXIMUM_ALLOWED |
	windows.GENERIC_READ | windows.GENERIC_WRITE | windows.GENERIC_ALL

// others returns who besides the owner, the account, SYSTEM and the Administrators
// can read or write what has this descriptor. Wide means that it has no access
// list: then everybody can do everything.
func others(sd *windows.SECURITY_DESCRIPTOR, account *windows.SID) (wide bool, strangers []*windows.SID, err error) {
	list, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		return true, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return false, nil, err
	}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			return false, nil, err
		}
		if entry.Header.AceType == accessDenied || entry.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 || entry.Mask&readOrWrite == 0 {
			continue
		}
		if entry.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE && entry.Header.AceType != accessAllowedCallback {
			return false, nil, fmt.Errorf("entry %d is of a kind (%d) that files do not have", i+1, entry.Header.AceType)
		}
		// The SID begins where the structure says and goes on behind its end.
		sid := (*windows.SID)(unsafe.Pointer(&entry.SidStart)) //nolint:gosec // the way to it that Windows documents
		if !trusted(sid, owner, account) {
			sid, err := sid.Copy() // the list goes with its descriptor
			if err != nil {
				return false, nil, err
			}
			strangers = append(strangers, sid)
		}
	}
	return false, strangers, nil
}

// Kinds of entry (winnt.h) that have the form of ACCESS_ALLOWED_ACE, besides that
// itself. A callback entry has a condition; whoever might meet it is let in.
const (
	accessDenied          = 1
	accessAllowedCallback = 9
)

// trusted says whether the owner of a file has nothing to fear from an account.
func trusted(sid, owner, account *windows.SID) bool {
	return owner != nil && sid.Equals(owner) || sid.Equals(account) ||
		sid.IsWellKnown(windows.WinLocalSystemSid) || sid.IsWellKnown(windows.WinBuiltinAdministratorsSid) ||
		sid.IsWellKnown(windows.WinCreatorOwnerRightsSid)
}

func tighten(path string) error { return setList(path, "") }

func tightenFolder(path string) error { return setList(path, "OICI") }

// setList gives a file or folder the list that ownersAlone makes.
func setList(path, inherit string) error {
	attributes, err := ownersAlone(inherit)
	if err != nil {
		return err
	}
	list, _, err := attributes.SecurityDescriptor.DACL()
	if err != nil {
		return err
	}
	err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	if err != nil {
		return &os.PathError{Op: "write the access list of", Path: path, Err: err}
	}
	return nil
}

// ownersAlone is what makes a file or a folder its owner's alone: full access (FA)
// for SYSTEM (SY), the Administrators (BA) and the account of this process, and
// protection (P) from what the folder above would add.
func ownersAlone(inherit string) (*windows.SecurityAttributes, error) {
	account, err := accountOfProcess()
	if err != nil {
		return nil, err
	}
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf("D:P(A;%[1]s;FA;;;SY)(A;%[1]s;FA;;;BA)(A;%[1]s;FA;;;%[2]s)", inherit, account))
	if err != nil {
		return nil, fmt.Errorf("make an access list: %w", err)
	}
	attributes := &windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(*attributes))
	return attributes, nil
}

func accountOfProcess() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("ask for the account of this process: %w", err)
	}
	return user.User.Sid, nil
}
