package session_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix"
	"github.com/dcvix/dcvix/session"
)

func TestCardsAndLicencesThatAHostReportsAreBounded(t *testing.T) {
	long := strings.Repeat("é\n\x1b[2J", 100)
	f := session.NewFleet(deadline, deadline)
	f.Report(ws1, dcvix.AgentUpdate{}, start)
	h, _ := f.Host(ws1.ID)
	assert.Nil(t, h.GPUs)
	assert.Nil(t, h.Licence)

	update := dcvix.AgentUpdate{GPUs: make([]dcvix.GPU, 1000), Licence: &dcvix.Licence{Mode: long, Products: make([]dcvix.LicensedProduct, 1000)}}
	for i := range 1000 {
		update.GPUs[i] = dcvix.GPU{Index: i, Model: long, Driver: long, TotalMemory: 1 << 40}
		update.Licence.Products[i] = dcvix.LicensedProduct{Product: long, Status: long}
	}
	f.Report(ws1, update, start)
	h, _ = f.Host(ws1.ID)
	assert.Len(t, h.GPUs, 64)
	assert.Len(t, h.Licence.Products, 16)
	assert.Equal(t, 63, h.GPUs[63].Index)
	assert.Equal(t, uint64(1<<40), h.GPUs[63].TotalMemory)
	for _, s := range []string{h.GPUs[63].Model, h.GPUs[0].Driver, h.Licence.Mode, h.Licence.Products[15].Product, h.Licence.Products[0].Status} {
		assert.LessOrEqual(t, len(s), 200)
		assert.NotContains(t, s, "\n")
		assert.NotContains(t, s, "\x1b")
		assert.True(t, strings.HasPrefix(s, "é [2Jé"), s)
	}
	assert.Equal(t, long, update.GPUs[0].Model, "what was passed in is as it was")
}

func TestTagsProblemsAndVersionOfAHostAreBounded(t *testing.T) {
	long := strings.Repeat("tag\n", 1000)
	many := slices.Repeat([]string{long}, 1000)
	f := session.NewFleet(deadline, deadline)
	f.Report(ws1, dcvix.AgentUpdate{Tags: many, Problems: many, Version: long}, start)
	h, _ := f.Host(ws1.ID)
	assert.Len(t, h.Tags, 64)
	assert.Len(t, h.Problems, 32)
	for text, most := range map[string]int{h.Tags[63]: 200, h.Problems[31]: 1000, h.Version: 200} {
		assert.LessOrEqual(t, len(text), most)
		assert.NotContains(t, text, "\n")
	}
}
