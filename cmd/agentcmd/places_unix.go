//go:build unix

package agentcmd

const defaultDCVPath = "/usr/bin/dcv"

func defaultDataDir() string { return "/var/lib/dcvix-agent" }
