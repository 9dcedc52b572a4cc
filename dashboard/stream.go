package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// viewer is a page that is open. Its fields are guarded by the dashboard's mutex.
type viewer struct {
	wake    chan struct{} // holds one when there is something to send
	state   []byte        // the newest frame of a snapshot that was not sent yet
	events  [][]byte      // frames, MaxPending at most
	dead    int           // how many of them are dead letters
	dropped int           // events that found no room, since it was told last
}

var errClosed = errors.New("dashboard: it is closed, as its program ends")

// hello is the first that a viewer is told.
type hello struct {
	Boot     string   `json:"boot"`
	Interval int64    `json:"interval"` // in milliseconds
	Allowed  []string `json:"allowed"`
	Calls    bool     `json:"calls"` // there are rates and latencies of calls
	Points   []point  `json:"points"`
	Events   []event  `json:"events"`
	Limits   limits   `json:"limits"`
}

type limits struct {
	Points  int `json:"points"`
	Events  int `json:"events"`
	Page    int `json:"page"`
	GoneFor int `json:"goneFor"` // in seconds
}

// stream serves what happens to one viewer, until it or the dashboard ends.
func (d *Dashboard) stream(w http.ResponseWriter, r *http.Request) {
	v, first, err := d.join()
	if err != nil {
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer d.leave(v)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // proxies are to hand it on at once
	out := http.NewResponseController(w)
	for frames := first; ; frames = d.take(v) {
		// A server that cannot bound it has connections that do not block, as in tests.
		_ = out.SetWriteDeadline(time.Now().Add(writeWithin))
		for _, f := range frames {
			if _, err := w.Write(f); err != nil {
				return
			}
		}
		if err := out.Flush(); err != nil {
			return
		}
		select {
		case <-v.wake:
		case <-r.Context().Done():
			return
		case <-d.ctx.Done():
			return
		}
	}
}

// join adds a viewer, and gives what it is told first. The first viewer has the cluster
// observed.
func (d *Dashboard) join() (*viewer, [][]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return nil, nil, errClosed
	case len(d.viewers) >= d.config.viewers:
		return nil, nil, fmt.Errorf("dashboard: as many pages are open as it serves at a time, %d: close one, or have its program allow more (dashboard.WithViewers)",
			d.config.viewers)
	}
	h := hello{
		Boot: d.boot, Interval: d.config.interval.Milliseconds(), Calls: d.config.calls != nil, Allowed: []string{},
		Points: d.history.points, Events: append(append([]event{}, d.history.events...), d.history.dead...),
		Limits: limits{Points: MaxPoints, Events: MaxEvents, Page: defaultPage, GoneFor: int(goneFor.Seconds())},
	}
	for _, op := range d.config.allowed {
		h.Allowed = append(h.Allowed, string(op))
	}
	first := [][]byte{frame("hello", h)}
	if len(d.viewers) > 0 && d.history.state != nil {
		first = append(first, d.history.state)
	}
	v := &viewer{wake: make(chan struct{}, 1)}
	d.viewers[v] = struct{}{}
	if len(d.viewers) == 1 {
		d.observe()
	}
	return v, first, nil
}

func (d *Dashboard) leave(v *viewer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.viewers, v)
	if len(d.viewers) == 0 {
		d.rest()
	}
}

// observe begins to look at the cluster. The caller holds the mutex.
func (d *Dashboard) observe() {
	var ctx context.Context
	ctx, d.rest = context.WithCancel(d.ctx)
	before := d.history.note.gone
	d.history.note = newNotes()
	d.history.note.gone = before
	d.wg.Go(func() { d.poll(ctx) })
	d.wg.Go(func() { d.follow(ctx) })
}

// take gives what a viewer has not been told yet.
func (d *Dashboard) take(v *viewer) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	frames := v.events
	if v.dropped > 0 {
		frames = append(frames, frame("missed", map[string]int{"count": v.dropped}))
	}
	if v.state != nil {
		frames = append(frames, v.state)
	}
	v.state, v.events, v.dead, v.dropped = nil, nil, 0, 0
	return frames
}

// tellState hands a snapshot to all viewers, and waits for none. The caller holds the mutex.
func (d *Dashboard) tellState(f []byte) {
	for v := range d.viewers {
		v.state = f
		v.stir()
	}
}

// tellEvent is the same with an event, which a viewer misses that reads too slowly. Dead letters
// take a part of the room alone: however many there are, the page learns of members that come and go.
func (d *Dashboard) tellEvent(f []byte, isDead bool) {
	for v := range d.viewers {
		switch {
		case len(v.events) >= MaxPending, isDead && v.dead >= MaxPending/4:
			v.dropped++
		default:
			v.events = append(v.events, f)
			if isDead {
				v.dead++
			}
		}
		v.stir()
	}
}

// stir wakes the stream.
func (v *viewer) stir() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// frame writes a server-sent event. JSON has no line ends.
func frame(name string, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		name, text = "broken", []byte(`""`) // it cannot be: there are but texts and finite numbers
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, text)
	return b.Bytes()
}
