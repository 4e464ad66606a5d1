package directorcmd

import "github.com/shirou/gopsutil/v4/disk"

func freeSpace(folder string) (uint64, error) {
	usage, err := disk.Usage(folder)
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}
