//go:build unix

package directorcmd

func defaultDataDir() string { return "/var/lib/dcvix-director" }
