package groupcommit_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/dcvix/dcvix/session/internal/groupcommit"
)

// await returns when so many items wait for the next write.
func await[T any](q *groupcommit.Queue[T], items int) {
	for q.Waiting() != items {
		runtime.Gosched()
	}
}

func TestWhatComesDuringAWriteIsWrittenTogether(t *testing.T) {
	var q groupcommit.Queue[int]
	var wrote [][]int
	write := func(items []int) { wrote = append(wrote, items) }
	var wg sync.WaitGroup
	q.Alone(func() {
		for i := range 5 {
			wg.Go(func() { q.Do(i, write) })
			await(&q, i+1)
		}
	})
	wg.Wait()
	assert.Equal(t, [][]int{{0, 1, 2, 3, 4}}, wrote)
}

func TestEveryItemIsWrittenOnceAndBeforeDoReturns(t *testing.T) {
	var q groupcommit.Queue[int]
	written := make(map[int]int) // the race detector sees writes that overlap
	has := func(i int) (n int) {
		q.Alone(func() { n = written[i] })
		return n
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 200 {
				item := worker*1000 + i
				q.Do(item, func(items []int) {
					for _, one := range items {
						written[one]++
					}
				})
				assert.Equal(t, 1, has(item))
			}
		})
	}
	wg.Wait()
	assert.Len(t, written, 8*200)
}

// A change that panics takes its own caller down, and nobody hears that something
// was written which was not.
func TestAPanicIsNotTakenForAWrite(t *testing.T) {
	var q groupcommit.Queue[string]
	panicked := make(chan any, 2)
	q.Alone(func() {
		for i, item := range []string{"bad", "good"} {
			go func() {
				defer func() { panicked <- recover() }()
				q.Do(item, func([]string) { panic("bad") })
			}()
			await(&q, i+1)
		}
	})
	assert.Equal(t, "bad", <-panicked)
	assert.Equal(t, "bad", <-panicked)
	var wrote []string
	q.Do("later", func(items []string) { wrote = items })
	assert.Equal(t, []string{"later"}, wrote)
}
