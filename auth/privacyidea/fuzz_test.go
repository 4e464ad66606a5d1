package privacyidea_test

import (
	"encoding/json"
	"testing"
	"unicode"

	"github.com/dcvix/dcvix/auth/privacyidea"
)

// FuzzAnswer holds what is read of an answer against a plain reading of its JSON.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"result":{"status":true,"value":true,"authentication":"ACCEPT"},"detail":{"message":"matching 1 tokens"}}`,
		`{"result":{"status":true,"value":false,"authentication":"CHALLENGE"},"detail":{"transaction_id":"1","multi_challenge":[{"client_mode":"interactive","message":"m"},{"client_mode":"poll"}]}}`,
		`{"result":{"status":false,"error":{"code":905,"message":"m"}},"detail":null}`,
		`{"result":{"status":true,"value":false},"detail":[]}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		accepted, prompt, state, err := privacyidea.Parse(body)
		var plain struct {
			Result struct{ Status, Value any }
		}
		if accepted && (err != nil || json.Unmarshal(body, &plain) != nil || plain.Result.Status != true || plain.Result.Value != true) {
			t.Errorf("accepted on %q", body)
		}
		if accepted && state != "" {
			t.Error("accepted, and asks")
		}
		for _, r := range prompt {
			if unicode.IsControl(r) {
				t.Errorf("prompt %q has a control character", prompt)
			}
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add(`{"id":"0815","way":"code"}`)
	f.Add(`{"id":"../x","way":"both"}`)
	f.Add(``)
	f.Fuzz(func(t *testing.T, state string) {
		if !privacyidea.OpensState(state) {
			return
		}
		var plain struct{ ID, Way string }
		if err := json.Unmarshal([]byte(state), &plain); err != nil || plain.ID == "" || len(plain.ID) > 128 {
			t.Errorf("%q was taken", state)
		}
	})
}
