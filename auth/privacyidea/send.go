package privacyidea

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/auth"
)

// maxAnswer bounds an answer; one has about 1 KiB.
const maxAnswer = 256 << 10

// check asks the server once.
func (v *Verifier) check(ctx context.Context, c auth.Credentials, form url.Values) (answer, error) {
	status, body, err := v.send(ctx, http.MethodPost, "/validate/check", form)
	if err != nil {
		return answer{}, v.unavailable(err)
	}
	return v.read(c, status, body)
}

// poll asks whether a push message was answered. Old servers take the
// transaction in the path alone.
func (v *Verifier) poll(ctx context.Context, c auth.Credentials, id string) (answer, error) {
	status, body, err := v.send(ctx, http.MethodGet, "/validate/polltransaction?transaction_id="+url.QueryEscape(id), nil)
	if err == nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		status, body, err = v.send(ctx, http.MethodGet, "/validate/polltransaction/"+url.PathEscape(id), nil)
	}
	if err != nil {
		return answer{}, v.unavailable(err)
	}
	return v.read(c, status, body)
}

func (v *Verifier) read(c auth.Credentials, status int, body []byte) (answer, error) {
	a, err := parse(body, func(text string) string { return dcvix.OneLine(v.hide(c, text), maxText) })
	switch {
	case status != http.StatusOK && err == nil:
		err = fmt.Errorf("it answered %d", status)
	case status != http.StatusOK:
		err = fmt.Errorf("it answered %d: %w", status, err)
	}
	if err != nil {
		return answer{}, v.unavailable(err)
	}
	return a, nil
}

// send returns the status and the body of an answer, whatever they are.
func (v *Verifier) send(ctx context.Context, method, path string, form url.Values) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, v.cfg.Timeout)
	defer cancel()
	var content io.Reader
	if form != nil {
		content = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, v.base+path, content)
	if err != nil {
		return 0, nil, errors.New("make request") // its own text would show the address, and so the transaction
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "dcvix")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.cfg.APIKey != "" {
		req.Header.Set("Authorization", string(v.cfg.APIKey))
	}
	resp, err := v.http.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // its text shows the address too
	}
	if err != nil {
		return 0, nil, errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return 0, nil, errors.New("the answer is larger than 256 KiB")
	}
	return resp.StatusCode, body, nil
}

func (v *Verifier) unavailable(err error) error {
	return fmt.Errorf("privacyIDEA at %s: %w", v.base, errors.Join(auth.ErrUnavailable, err))
}
