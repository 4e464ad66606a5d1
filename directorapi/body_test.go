package directorapi_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/directorapi"
)

func TestNothingOfABodyStaysInMemoryThatOthersUse(t *testing.T) {
	body := bytes.NewBufferString(`{"userID":"alice","password":"correct horse"}`)
	left := body.Bytes()
	_, _ = body.ReadByte() // part of it was read
	directorapi.GiveBack(body)
	assert.Equal(t, make([]byte, len(left)), left)
	assert.Zero(t, body.Len())
}
