package privacyideatest

import (
	"net/http"
	"strings"
)

// A transaction is a challenge that was not answered yet.
type transaction struct {
	user   string
	tokens []*Token
	status string // of a push message: pending, accept or declined
}

// A verdict is what the server makes of a check.
type verdict struct {
	value          bool
	authentication string
	detail         map[string]any // any: it becomes JSON
}

func refused(message string) verdict {
	return verdict{authentication: "REJECT", detail: map[string]any{"message": message}}
}

func accepted(k *Token) verdict {
	return verdict{value: true, authentication: "ACCEPT", detail: map[string]any{
		"message": "matching 1 tokens", "serial": k.serial, "type": string(k.kind),
	}}
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.fail(w, http.StatusBadRequest, 905, "Missing parameter: 'pass'")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, r.PostForm)
	user, realm := r.PostForm.Get("user"), r.PostForm.Get("realm")
	switch {
	case s.cfg.APIKey != "" && r.Header.Get("Authorization") != s.cfg.APIKey:
		s.fail(w, http.StatusUnauthorized, 4303, "Authentication failure. Missing or wrong API key")
		return
	case !r.PostForm.Has("user") || !r.PostForm.Has("pass"):
		s.fail(w, http.StatusBadRequest, 905, "Missing parameter: 'user'")
		return
	case realm != "" && realm != s.cfg.Realm:
		s.fail(w, http.StatusBadRequest, 904, "The realm does not exist")
		return
	case s.tokens[user] == nil && s.cfg.UnknownUserFails:
		s.fail(w, http.StatusBadRequest, 904, "User "+user+" does not exist")
		return
	}
	pass := r.PostForm.Get("pass")
	if id := r.PostForm.Get("transaction_id"); id != "" {
		s.answer(w, s.finish(user, id, pass))
		return
	}
	s.answer(w, s.begin(user, pass))
}

// begin judges a check without a transaction.
func (s *Server) begin(user, pass string) verdict {
	tokens := s.tokens[user]
	if tokens == nil {
		return refused("The user has no tokens assigned")
	}
	var asking []*Token
	locked := true
	for _, k := range tokens {
		code, ok := strings.CutPrefix(pass, k.pin)
		if ok && k.use(code) {
			return accepted(k)
		}
		if ok && code == "" && k.question != "" && !k.locked() {
			asking = append(asking, k)
		}
		locked = locked && k.locked()
	}
	switch {
	case len(asking) > 0:
		return s.challenge(user, asking)
	case locked:
		return refused("matching 1 tokens, Failcounter exceeded")
	}
	for _, k := range tokens {
		k.fails++
	}
	return refused("wrong otp value")
}

func (s *Server) challenge(user string, asking []*Token) verdict {
	id := digits(20)
	open := &transaction{user: user, tokens: asking, status: "pending"}
	s.open[id] = open
	var multi []map[string]any
	var messages []string
	for _, k := range asking {
		one := map[string]any{"serial": k.serial, "transaction_id": id, "message": k.question, "type": string(k.kind)}
		if !s.cfg.Old {
			one["client_mode"] = map[Kind]string{HOTP: "interactive", Push: "poll", WebAuthn: "webauthn"}[k.kind]
		}
		if k.kind == Push {
			k.unanswers = append(k.unanswers, open)
		}
		multi = append(multi, one)
		messages = append(messages, k.question)
	}
	return verdict{authentication: "CHALLENGE", detail: map[string]any{
		"message": strings.Join(messages, ", "), "serial": asking[0].serial, "type": string(asking[0].kind),
		"transaction_id": id, "multi_challenge": multi,
	}}
}

// finish judges the answer to a challenge.
func (s *Server) finish(user, id, pass string) verdict {
	open := s.open[id]
	if open == nil || open.user != user {
		return refused("The transaction does not exist")
	}
	for _, k := range open.tokens {
		if k.use(pass) || k.kind == Push && pass == "" && open.status == "accept" {
			delete(s.open, id)
			return accepted(k)
		}
	}
	if pass != "" {
		for _, k := range open.tokens {
			k.fails++
		}
	}
	return refused("Response did not match the challenge.")
}

func (s *Server) poll(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "" {
		id = r.URL.Query().Get("transaction_id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls++
	open := s.open[id]
	if open == nil {
		s.answer(w, verdict{authentication: "REJECT", detail: map[string]any{}})
		return
	}
	v := verdict{authentication: "REJECT", detail: map[string]any{"challenge_status": open.status}}
	if open.status == "accept" {
		v.value, v.authentication = true, "ACCEPT"
	}
	s.answer(w, v)
}

// answer writes a verdict in the documented form.
func (s *Server) answer(w http.ResponseWriter, v verdict) {
	result := map[string]any{"status": true, "value": v.value}
	body := map[string]any{
		"id": 1, "jsonrpc": "2.0", "version": "privacyIDEA 3.9", "time": 1763800000.25, "signature": "rsa_sha256_pss:00", "result": result,
	}
	if !s.cfg.Old {
		result["authentication"] = v.authentication
	}
	if !s.cfg.HideDetail {
		body["detail"] = v.detail
	}
	write(w, http.StatusOK, body)
}

// fail writes an error in the documented form.
func (s *Server) fail(w http.ResponseWriter, status, code int, message string) {
	write(w, status, map[string]any{
		"id": 1, "jsonrpc": "2.0", "version": "privacyIDEA 3.9", "time": 1763800000.25, "detail": nil,
		"result": map[string]any{"status": false, "error": map[string]any{"code": code, "message": "ERR: " + message}},
	})
}
