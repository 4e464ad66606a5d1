package pamhelpercmd_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/cmd/pamhelpercmd"
)

func TestWhatAPersonAnswers(t *testing.T) {
	const off, on = false, true
	tests := map[string]struct {
		otp     string
		prompts []bool // whether each is shown
		want    []string
		wanted  string // the prompt that found no answer
	}{
		"the password":                       {prompts: []bool{off}, want: []string{"wonder"}},
		"then the code":                      {otp: "123456", prompts: []bool{off, off}, want: []string{"wonder", "123456"}},
		"then the code, shown":               {otp: "123456", prompts: []bool{off, on}, want: []string{"wonder", "123456"}},
		"the code first":                     {otp: "123456", prompts: []bool{on, off}, want: []string{"123456", "wonder"}},
		"the code as often as it is asked":   {otp: "123456", prompts: []bool{off, off, on}, want: []string{"wonder", "123456", "123456"}},
		"no code":                            {prompts: []bool{off, off}, want: []string{"wonder", "-"}, wanted: "prompt 1"},
		"the password where no code is":      {prompts: []bool{on, off}, want: []string{"-", "wonder"}, wanted: "prompt 0"},
		"the first prompt that finds no one": {prompts: []bool{off, on, off}, want: []string{"wonder", "-", "-"}, wanted: "prompt 1"},
		"not without end": {
			otp: "1", prompts: make([]bool, 10), want: []string{"wonder", "1", "1", "1", "1", "1", "1", "1", "-", "-"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, wanted := pamhelpercmd.Talk("wonder", tt.otp, tt.prompts)
			assert.Equal(t, tt.want, got)
			assert.Equal(t, tt.wanted, wanted)
		})
	}
}

func TestTextsOfModulesBecomeOneBoundedLine(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"as it is":        {text: "Account expires in 3 days", want: "Account expires in 3 days"},
		"control marks":   {text: " \x1b[31mred\r\nline\u0085 ", want: "[31mred  line"},
		"turned around":   {text: "abc\u202edef", want: "abc def"},
		"not UTF-8":       {text: "caf\xe9", want: "caf?"},
		"the password":    {text: "you said wonder twice: wonder", want: "you said [redacted] twice: [redacted]"},
		"the code":        {text: "123456?", want: "[redacted]?"},
		"nothing":         {text: "\n", want: ""},
		"long":            {text: strings.Repeat("é", 200), want: strings.Repeat("é", 128)},
		"cut in a letter": {text: "x" + strings.Repeat("é", 200), want: "x" + strings.Repeat("é", 127)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, pamhelpercmd.Clean("wonder", "123456", tt.text))
		})
	}
}

func FuzzClean(f *testing.F) {
	f.Add("wonder", "123456", "wonder \x1b 123456\n")
	f.Fuzz(func(t *testing.T, password, otp, text string) {
		got := pamhelpercmd.Clean(password, otp, text)
		assert.LessOrEqual(t, len(got), 256)
		assert.NotContains(t, got, "\n")
		if len(password) > 10 && !strings.Contains("[redacted]", password) {
			assert.NotContains(t, got, password)
		}
	})
}
