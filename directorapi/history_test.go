package directorapi_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/directorapi/directorapitest"
	"github.com/dcvix/dcvix/session/sessiontest"
)

func TestAnAdminSeesTheLastHourOfAHost(t *testing.T) {
	l := newListed(t, 1)
	path := dcvix.Path(dcvix.PathAdminServerHistory, "WS0")
	admin := l.AdminClient()

	got, err := admin.History(t.Context(), "ws0")

	require.NoError(t, err)
	assert.Equal(t, dcvix.Hostname("ws0"), got.ServerID)
	assert.Equal(t, 60, got.StepSeconds)
	require.Len(t, got.Samples, 60)
	var there []*dcvix.HostSample
	for _, s := range got.Samples {
		if s != nil {
			there = append(there, s)
		}
	}
	require.NotEmpty(t, there)
	assert.Equal(t, 1, there[0].Sessions)
	assert.Nil(t, there[0].GPU, "the host has none")
	assert.Nil(t, got.Samples[0], "nothing was before the start")

	root := loggedIn(t, l.Server, dcvix.PathAdminLogin, directorapitest.Root)
	first := root.get(t, path)
	root.header = map[string]string{"If-None-Match": first.header.Get("Etag")}
	again := root.get(t, path)
	if again.header.Get("Etag") == first.header.Get("Etag") { // else a minute went by
		assert.Equal(t, http.StatusNotModified, again.status)
	}

	quiet := sessiontest.Join(t, l.Broker, "quiet")
	none, err := admin.History(t.Context(), string(quiet.Hostname))
	require.NoError(t, err)
	assert.Equal(t, make([]*dcvix.HostSample, 60), none.Samples)
	_, err = admin.History(t.Context(), "nobody")
	problem := (*dcvix.Error)(nil)
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, dcvix.CodeNotFound, problem.Code)
}
