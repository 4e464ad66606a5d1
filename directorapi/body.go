package directorapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// usualBody is how much room there is at first for what a request says it will send:
// nobody gets more before it has come.
const usualBody = 8 << 10

// bodies are buffers for what requests send, each used by one at a time.
var bodies sync.Pool //nolint:gochecknoglobals // of empty *bytes.Buffer: there is nothing in it to share

// readJSON decodes the body of a request. Keys it does not know are passed over:
// the protocol grows by adding.
func readJSON[T any](c echo.Context) (v T, err error) {
	body, ok := bodies.Get().(*bytes.Buffer)
	if !ok {
		body = new(bytes.Buffer)
	}
	defer giveBack(body)
	body.Grow(int(min(max(c.Request().ContentLength, 0), usualBody)) + bytes.MinRead)
	if _, err := body.ReadFrom(c.Request().Body); err != nil {
		return v, bodyError(err)
	}
	if json.Unmarshal(body.Bytes(), &v) == nil {
		return v, nil
	}
	if err := json.NewDecoder(bytes.NewReader(body.Bytes())).Decode(&v); err != nil { // it tells more kinds of errors apart
		return v, bodyError(err)
	}
	return v, malformed("The request has more than one JSON value: send one.")
}

// giveBack keeps a buffer for others, without what was in it: that may be a password.
func giveBack(body *bytes.Buffer) {
	if body.Cap() > 2*usualBody {
		return
	}
	body.Reset()
	clear(body.AvailableBuffer()[:body.Cap()])
	bodies.Put(body)
}

// readOptionalJSON is readJSON for a body that may be empty.
func readOptionalJSON[T any](c echo.Context) (T, error) {
	v, err := readJSON[T](c)
	if errors.Is(err, errEmpty) {
		return v, nil
	}
	return v, err
}

var errEmpty error = &malformedError{"The request has no body: send JSON."}

func bodyError(err error) error {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return errTooLarge
	}
	if kind := (*json.UnmarshalTypeError)(nil); errors.As(err, &kind) {
		word, _, _ := strings.Cut(kind.Value, " ") // after "number" comes what the client wrote
		if kind.Field == "" {
			return malformed("The request is a JSON %s: send an object.", word)
		}
		return malformed("The field %q of the request cannot be a %s.", kind.Field, word)
	}
	if bad := base64.CorruptInputError(0); errors.As(err, &bad) {
		return malformed("A field of the request is not base64: check it and send it again.")
	}
	if errors.Is(err, io.EOF) {
		return errEmpty
	}
	return malformed("The request is not JSON: check it and send it again.")
}

// ok answers 200 with JSON.
func ok(c echo.Context, v any) error { // any: as encoding/json
	return c.JSON(http.StatusOK, v)
}
