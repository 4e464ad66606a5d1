package pamhelpercmd

import "fmt"

// Talk lets a person answer prompts and returns the answers, "-" for none, and
// the prompt that was left without one.
func Talk(password, otp string, shown []bool) (answers []string, wanted string) {
	p := &person{password: password, otp: otp}
	for i, echo := range shown {
		answer, err := p.answer(echo, fmt.Sprint("prompt ", i))
		if err != nil {
			answer = "-"
		}
		answers = append(answers, answer)
	}
	return answers, p.prompt
}

// Clean returns what is kept of a text.
func Clean(password, otp, text string) string {
	return (&person{password: password, otp: otp}).clean(text)
}
