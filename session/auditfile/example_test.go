package auditfile_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dcvix/dcvix/session"
	"github.com/dcvix/dcvix/session/auditfile"
)

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "audit.jsonl")
	audit, err := auditfile.Open(context.Background(), auditfile.Config{Path: path})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = audit.Close() }()
	err = audit.Append(context.Background(), session.AuditRecord{Action: session.AuditLogin, Outcome: session.AuditOK, Actor: "alice"})
	fmt.Println(err)
	fmt.Println(auditfile.Verify(path))
	// Output:
	// <nil>
	// 1 <nil>
}
