package diagnosis_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dcvix/dcvix/cmd/internal/diagnosis"
)

func TestWhatToMendFirstStandsFirst(t *testing.T) {
	r := diagnosis.NewReport([]diagnosis.Finding{
		{Check: "a", Level: diagnosis.OK},
		{Check: "b", Level: diagnosis.Warning},
		{Check: "c", Level: diagnosis.Problem},
		{Check: "d", Level: diagnosis.Skipped},
		{Check: "e", Level: diagnosis.Problem},
		{Check: "f", Level: diagnosis.Warning},
		{Check: "g", Level: diagnosis.OK},
	})
	order := ""
	var orderSb19 strings.Builder
	for _, f := range r.Findings {
		orderSb19.WriteString(f.Check)
	}
	order += orderSb19.String()
	assert.Equal(t, "cebfdag", order)
	assert.Equal(t, []int{2, 2}, []int{r.Problems, r.Warnings})
}

func TestAReportFitsATerminal(t *testing.T) {
	fingerprint := strings.Repeat("AB:", 31) + "AB"
	r := diagnosis.NewReport([]diagnosis.Finding{{
		Check: "registration", Level: diagnosis.Problem, Text: "An admin has to approve this host. The fingerprint of its key is " + fingerprint + " \x1b[31mand more",
		Remedy: "Do this, and then that, and whatever else it takes to come to the end of the line.", Command: "dcvix-director agents approve 5c2eab8d-521f-4dd7-8c3c-e322f55219d0",
	}, {Check: "clock", Level: diagnosis.OK, Text: "Fine."}})
	var b strings.Builder
	require.NoError(t, r.WriteText(&b))
	assert.NotContains(t, b.String(), "\x1b")
	assert.Contains(t, strings.Join(strings.Fields(b.String()), ""), fingerprint, "all of it")
	assert.Contains(t, b.String(), "  $ dcvix-director agents approve 5c2eab8d-521f-4dd7-8c3c-e322f55219d0\n", "a command is in one piece")
	for line := range strings.Lines(b.String()) {
		if !strings.Contains(line, "$ ") {
			assert.LessOrEqual(t, len([]rune(line)), 81, line)
		}
	}
	assert.True(t, strings.HasSuffix(b.String(), "\n1 problem, 0 warnings\n"), b.String())
	b.Reset()
	require.NoError(t, diagnosis.NewReport([]diagnosis.Finding{{Level: diagnosis.Warning}}).WriteText(&b))
	assert.True(t, strings.HasSuffix(b.String(), "\n1 warning, no problem\n"), b.String())
}
