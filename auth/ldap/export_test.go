package ldap

var (
	FilterFor = filterFor
	GroupName = groupName
)
