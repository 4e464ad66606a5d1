package links_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/session/internal/links"
)

func TestWhatIsOpenTowardsAnAgentIsCutUntilItIsForgotten(t *testing.T) {
	var s links.Set
	cut := make(map[string]int)
	note := func(what string) func() { return func() { cut[what]++ } }
	s.Cut("nobody")
	forget := s.Add("a", note("a1"))
	s.Add("a", note("a2"))
	s.Add("b", note("b"))
	s.Cut("a")
	forget()
	forget() // more than once
	s.Cut("a")
	assert.Equal(t, map[string]int{"a1": 1, "a2": 2}, cut)
}

func TestWhatIsCutMayForgetItself(t *testing.T) {
	var s links.Set
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			var once sync.Once
			var forget func()
			ready := make(chan struct{})
			forget = s.Add("a", func() { <-ready; once.Do(forget) })
			close(ready)
			s.Cut("a")
		})
	}
	wg.Wait()
}
