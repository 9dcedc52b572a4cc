package door

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Hall is where requests are that have not come in whole. Its methods may be called by any
// goroutine.
type Hall struct {
	patience time.Duration

	mu      sync.Mutex // guards what follows
	most    int
	waiting list.List // of context.CancelFunc; who has waited longest is first
}

// NewHall makes a hall for so many requests, each of which may take so long.
func NewHall(most int, patience time.Duration) *Hall { return &Hall{most: most, patience: patience} }

// Widen makes room for at least so many.
func (h *Hall) Widen(most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.most = max(h.most, most)
}

// Expect gives a context for a request, which ends when the request takes too long. Where
// there is no room for one more the one that has waited longest ends, so that those who
// send nothing do not keep out others. came is called when it is there, or of no interest
// any more; further calls do nothing.
func (h *Hall) Expect(ctx context.Context) (of context.Context, came func()) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(h.patience, cancel)
	h.mu.Lock()
	place := h.waiting.PushBack(cancel)
	var late context.CancelFunc
	if h.waiting.Len() > h.most {
		late, _ = h.waiting.Remove(h.waiting.Front()).(context.CancelFunc)
	}
	h.mu.Unlock()
	if late != nil {
		late()
	}
	came = sync.OnceFunc(func() {
		timer.Stop()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.waiting.Remove(place) // which does nothing if it is not there
	})
	context.AfterFunc(ctx, came)
	return ctx, came
}

// Waiting is how many there are.
func (h *Hall) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting.Len()
}
