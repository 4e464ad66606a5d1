package inifile_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/cmd/internal/inifile"
)

func Example() {
	var host string
	var port int
	set := inifile.New("dcvix-director")
	s := set.Section("director")
	s.String(&host, "director_host", "0.0.0.0", "address to listen on")
	s.Int(&port, "director_port", 8445, "port to listen on").Range(1, 65535)

	dir, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "dcvix-director.conf")
	_ = os.WriteFile(path, []byte("[director]\ndirector_port = 9000 # was 8445\n"), 0o600)
	err := set.Load(inifile.Source{Path: path, Environ: []string{"DCVIX_DIRECTOR_DIRECTOR_HOST=127.0.0.1"}})
	fmt.Println(host, port, err)
	// Output: 127.0.0.1 9000 <nil>
}
