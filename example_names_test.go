package dcvix_test

import (
	"encoding/json"
	"fmt"

	"github.com/dcvix/dcvix"
)

func ExampleParseHostname() {
	fmt.Println(dcvix.ParseHostname("WS1.Lab.Example."))
	fmt.Println(dcvix.ParseHostname("10.0.0.1"))
	// Output:
	// ws1.lab.example <nil>
	//  "10.0.0.1": not a host name: its last label is a number
}

func ExamplePath() {
	fmt.Println(dcvix.Path(dcvix.PathSession, "a/b"))
	// Output: /v1/sessions/a%2Fb
}

func ExampleTime() {
	var s dcvix.Session
	_ = json.Unmarshal([]byte(`{"creation-time":"2026-03-05T09:41:12+01:00","last-disconnection-time":""}`), &s)
	created, _ := json.Marshal(s.CreationTime)
	left, _ := json.Marshal(s.LastDisconnectionTime)
	fmt.Println(string(created), string(left))
	// Output: "2026-03-05T08:41:12Z" null
}
