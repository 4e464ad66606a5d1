package private_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/dcvix/dcvix/internal/private"
)

// Accounts of the tests. The last two are somebody's on some machine.
const (
	system   = "S-1-5-18"
	admins   = "S-1-5-32-544"
	everyone = "S-1-1-0"
	users    = "S-1-5-32-545"
	service  = "S-1-5-21-1-2-3-1001"
	bob      = "S-1-5-21-1-2-3-1002"
)

func TestWhoElseCouldReadOrWrite(t *testing.T) {
	const own = "(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;" + service + ")"
	tests := map[string]struct {
		sddl string
		want []string
		wide bool
	}{
		"what we make":                             {"O:" + service + "D:P" + own, nil, false},
		"the same, made by an administrator":       {"O:BAD:P" + own, nil, false},
		"inherited from such a folder":             {"O:" + service + "D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;FA;;;" + service + ")", nil, false},
		"its owner is another, who has rights":     {"O:" + bob + "D:P(A;;FA;;;" + bob + ")(A;;FR;;;" + service + ")", nil, false},
		"the rights of whoever owns it":            {"O:" + bob + "D:P(A;;FA;;;OW)", nil, false},
		"nobody at all":                            {"O:" + service + "D:P", nil, false},
		"Everyone is shut out":                     {"O:" + service + "D:P(D;;FA;;;WD)" + own, nil, false},
		"Users may see that it is there":           {"O:" + service + "D:P" + own + "(A;;0x120080;;;BU)", nil, false},
		"Users may run it":                         {"O:" + service + "D:P" + own + "(A;;0x20;;;BU)", nil, false},
		"Users have rights below a folder alone":   {"O:" + service + "D:P" + own + "(A;OICIIO;FA;;;BU)", nil, false},
		"Everyone reads":                           {"O:" + service + "D:P" + own + "(A;;FR;;;WD)", []string{everyone}, false},
		"Users read":                               {"O:" + service + "D:P" + own + "(A;;0x1;;;BU)", []string{users}, false},
		"Users write":                              {"O:" + service + "D:P" + own + "(A;;0x2;;;BU)", []string{users}, false},
		"Users add to its end":                     {"O:" + service + "D:P" + own + "(A;;0x4;;;BU)", []string{users}, false},
		"Authenticated Users read, by inheritance": {"O:" + service + "D:AI(A;ID;FR;;;AU)", []string{"S-1-5-11"}, false},
		"guests may change the list":               {"O:" + service + "D:P" + own + "(A;;WD;;;BG)", []string{"S-1-5-32-546"}, false},
		"guests may make it theirs":                {"O:" + service + "D:P" + own + "(A;;WO;;;BG)", []string{"S-1-5-32-546"}, false},
		"generic rights":                           {"O:" + service + "D:P" + own + "(A;;GR;;;WD)(A;;GW;;;BU)(A;;GA;;;" + bob + ")", []string{everyone, users, bob}, false},
		"another account reads":                    {"O:" + service + "D:P" + own + "(A;;FR;;;" + bob + ")", []string{bob}, false},
		"whoever made it, though not its owner":    {"O:" + service + "D:P" + own + "(A;;FR;;;CO)", []string{"S-1-3-0"}, false},
		"shut out after being let in":              {"O:" + service + "D:P(A;;FR;;;WD)(D;;FA;;;WD)", []string{everyone}, false},
		"on a condition":                           {"O:" + service + "D:P" + own + `(XA;;FR;;;WD;(Member_of {SID(BU)}))`, []string{everyone}, false},
		"no list at all":                           {"O:" + service, nil, true},
		"a list of nothing, which lets in all":     {"O:" + service + "D:NO_ACCESS_CONTROL", nil, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(tt.sddl, "XA;") || strings.Contains(tt.sddl, "NO_ACCESS_CONTROL") {
				notInWine(t, "reads no such text")
			}
			wide, got, err := private.Others(tt.sddl, service)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.wide, wide)
		})
	}
}

func TestANullListLetsInAll(t *testing.T) {
	wide, err := private.OthersOfNull(service)
	require.NoError(t, err)
	assert.True(t, wide)
}

func TestAnEntryThatIsNotUnderstoodIsAnError(t *testing.T) {
	_, _, err := private.Others("O:BAD:P(OA;;0x1;00000000-0000-0000-0000-000000000001;;WD)", service)
	assert.Error(t, err)
}

func TestTheRemedyNamesEverybodyWhoIsToGo(t *testing.T) {
	got, err := private.Command(`C:\Program Data\ca.key`, service, false, everyone, bob)
	require.NoError(t, err)
	assert.Equal(t, `icacls "C:\Program Data\ca.key" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *`+service+`:F /remove:g *S-1-1-0 *`+bob, got)

	got, err = private.Command(`C:\ca.key`, service, true)
	require.NoError(t, err)
	assert.Equal(t, `icacls "C:\ca.key" /reset, then icacls "C:\ca.key" /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *`+service+`:F`, got)

	got, err = private.Command(`C:\ca.key`, service, false)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestTheListOfWhatIsMade(t *testing.T) {
	me := account(t)
	for inherit, what := range map[string]string{"": "a file", "OICI": "a folder and what is made in it"} {
		got, err := private.OwnersAlone(inherit)
		require.NoError(t, err)
		sd, err := windows.SecurityDescriptorFromString(got)
		require.NoError(t, err)
		control, _, err := sd.Control()
		require.NoError(t, err)
		assert.NotZero(t, control&windows.SE_DACL_PROTECTED, what)
		assert.Equal(t, 3, strings.Count(got, "(A;"+inherit+";FA;;;"), got)
		wide, strangers, err := private.Others("O:"+me+got, me)
		require.NoError(t, err)
		assert.False(t, wide)
		assert.Empty(t, strangers, what)
	}
}

// listOf returns the access list of a file in SDDL.
func listOf(t *testing.T, path string) string {
	t.Helper()
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	require.NoError(t, err)
	return sd.String()
}

// wideFolder is one in which Everyone has every right, to all that is made there.
func wideFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	setList(t, dir, "D:P(A;OICI;FA;;;WD)")
	return dir
}

func setList(t *testing.T, path, sddl string) {
	t.Helper()
	sd, err := windows.SecurityDescriptorFromString(sddl)
	require.NoError(t, err)
	list, _, err := sd.DACL()
	require.NoError(t, err)
	require.NoError(t, windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil))
}

func TestAFileInAWideFolderIsItsOwnersAlone(t *testing.T) {
	dir := wideFolder(t)
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	remedy, err := private.Remedy(plain)
	require.NoError(t, err)
	require.Contains(t, remedy, "/remove:g *S-1-1-0", "package os leaves it to the folder")

	path := filepath.Join(dir, "file")
	f, err := private.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	require.NoError(t, err)
	isPrivate(t, path)
	require.NoError(t, f.Close())
	require.NoError(t, os.Rename(path, plain))
	isPrivate(t, plain)
	assert.NotContains(t, listOf(t, plain), "WD", "a file that takes the place of another brings its own list")
}

func TestWhatIsMadeInAPrivateFolderIsPrivateToo(t *testing.T) {
	notInWine(t, "lets no list be inherited")
	dir := filepath.Join(wideFolder(t), "data")
	require.NoError(t, private.MkdirAll(dir))
	path := filepath.Join(dir, "agents.db-wal")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	isPrivate(t, path)
}

func TestRightsOfOthersAreFoundAndTakenAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	setList(t, path, "D:P(A;;FA;;;"+account(t)+")(A;;FR;;;WD)")
	remedy, err := private.Remedy(path)
	require.NoError(t, err)
	require.Contains(t, remedy, `icacls "`+path+`" /inheritance:r /grant:r `)
	require.Contains(t, remedy, "*S-1-1-0")
	notInWine(t, "adds to a list and takes nothing away")

	tightened, err := private.Tighten(path)

	require.NoError(t, err)
	assert.True(t, tightened)
	isPrivate(t, path)
	tightened, err = private.Tighten(path)
	require.NoError(t, err)
	assert.False(t, tightened, "it is already")
}

func TestAFileWithoutAListIsEverybodys(t *testing.T) {
	notInWine(t, "makes a list of permission bits, so there is always one")
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, nil, nil))
	remedy, err := private.Remedy(path)
	require.NoError(t, err)
	assert.Contains(t, remedy, "/reset, then icacls")
	tightened, err := private.Tighten(path)
	require.NoError(t, err)
	assert.True(t, tightened)
	isPrivate(t, path)
}

func account(t *testing.T) string {
	t.Helper()
	me, err := private.AccountOfProcess()
	require.NoError(t, err)
	return me
}

// notInWine skips a test of what Wine cannot do. Windows can.
func notInWine(t *testing.T, what string) {
	t.Helper()
	if windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil {
		t.Skip("Wine " + what)
	}
}
