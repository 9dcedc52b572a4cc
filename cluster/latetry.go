package cluster

import (
	"context"
	"sync"

	"github.com/granary-go/granary/actor"
)

// maxLateTries is how many tries of a call may be late at a time. Of more, the
// answer of the newest does not count.
const maxLateTries = 8

// lateTries are the tries of one call that were not waited for any longer, and
// whose answers still count. Its nil value has none.
type lateTries struct {
	cluster *Cluster
	// ctx is the call's, and done also when an answer has come.
	ctx    context.Context
	came   context.CancelFunc
	answer chan any // of one, the first that came
	tries  []lateTry
	wg     sync.WaitGroup // of the goroutines that await them
}

type lateTry struct {
	at     *location
	future *actor.Future
}

func newLateTries(ctx context.Context, c *Cluster) *lateTries {
	l := &lateTries{cluster: c, answer: make(chan any, 1)}
	l.ctx, l.came = context.WithCancel(ctx)
	return l
}

func (l *lateTries) add(at *location, future *actor.Future) {
	if len(l.tries) == maxLateTries {
		l.cluster.giveUp(at, future)
		return
	}
	l.tries = append(l.tries, lateTry{at, future})
	l.wg.Go(func() {
		reply, err := future.Result()
		if err != nil || withheld(reply) != nil {
			return
		}
		select {
		case l.answer <- reply:
		default:
		}
		l.came()
	})
}

// take gives the answer that has come, if one has.
func (l *lateTries) take() (any, bool) {
	if l == nil {
		return nil, false
	}
	select {
	case reply := <-l.answer:
		return reply, true
	default:
		return nil, false
	}
}

// end gives up what has not been answered, and waits for the goroutines.
func (l *lateTries) end() {
	if l == nil {
		return
	}
	for _, try := range l.tries {
		if !completed(try.future) {
			l.cluster.giveUp(try.at, try.future)
		}
	}
	l.came()
	l.wg.Wait()
}

// withheld is the error of a reply that says that there is none.
func withheld(reply any) error {
	if ge, ok := reply.(*GrainError); ok && ge.Code == CodeFenced {
		return ge
	}
	return nil
}

func completed(f *actor.Future) bool {
	select {
	case <-f.Done():
		return true
	default:
		return false
	}
}
