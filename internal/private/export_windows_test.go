package private

import "golang.org/x/sys/windows"

// Others says who else than the account could read or write what has the
// descriptor, which is written in SDDL.
func Others(sddl, account string) (wide bool, strangers []string, err error) {
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return false, nil, err
	}
	sid, err := windows.StringToSid(account)
	if err != nil {
		return false, nil, err
	}
	wide, sids, err := others(sd, sid)
	for _, s := range sids {
		strangers = append(strangers, s.String())
	}
	return wide, strangers, err
}

// OthersOfNull does the same for a list that is there and is null.
func OthersOfNull(account string) (wide bool, err error) {
	sd, err := windows.NewSecurityDescriptor()
	if err != nil {
		return false, err
	}
	if err := sd.SetDACL(nil, true, false); err != nil {
		return false, err
	}
	sid, err := windows.StringToSid(account)
	if err != nil {
		return false, err
	}
	wide, _, err = others(sd, sid)
	return wide, err
}

// Command is what a refusal tells the administrator.
func Command(path, account string, wide bool, strangers ...string) (string, error) {
	own, err := windows.StringToSid(account)
	if err != nil {
		return "", err
	}
	var sids []*windows.SID
	for _, s := range strangers {
		sid, err := windows.StringToSid(s)
		if err != nil {
			return "", err
		}
		sids = append(sids, sid)
	}
	return command(path, own, wide, sids), nil
}

// OwnersAlone returns, in SDDL, what a new file or folder is given.
func OwnersAlone(inherit string) (string, error) {
	attributes, err := ownersAlone(inherit)
	if err != nil {
		return "", err
	}
	return attributes.SecurityDescriptor.String(), nil
}

// AccountOfProcess returns the SID of whoever runs the test.
func AccountOfProcess() (string, error) {
	sid, err := accountOfProcess()
	if err != nil {
		return "", err
	}
	return sid.String(), nil
}
