package k8s

import (
	"context"
	"errors"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/granary-go/granary/cluster/driver"
)

// longestWait bounds a Wait: a server that was replaced by an emptied one may tell nothing to watches of the former. Tests
// of what ends a Wait before it have a longer one.
const longestWait = 10 * time.Second

var errWatchEnded = errors.New("k8s: the watch has ended; read again, and watch from there")

// Wait implements [driver.RecordStore]: watches of the ConfigMap, the Leases and the pods, from where they were read. A
// renewal is noted and does not end it. It returns, too, when a Lease has been unchanged for its duration.
func (s *store) Wait(ctx context.Context, since driver.Record) error {
	v, ok := since.Version.(*version)
	if !ok {
		return nil // nothing was read
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.longestWait)
	w := &waiter{store: s, ctx: bounded, read: v}
	defer w.close()
	defer cancel() // and then close, which waits for what it ends
	err := w.wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil, bounded.Err() != nil, expired(err):
		return nil
	}
	return s.explain(ctx, "watch the membership", err)
}

// expired reports whether a watch cannot begin where it was asked to, as what happened since is forgotten.
func expired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// waiter is one Wait.
type waiter struct {
	*store
	ctx    context.Context
	read   *version
	opened []watch.Interface
}

// close ends the watches, and waits until their goroutines have ended.
func (w *waiter) close() {
	for _, o := range w.opened {
		o.Stop()
		for range o.ResultChan() { // closed by the goroutine that reads the stream
		}
	}
}

func (w *waiter) open(r resource, options metav1.ListOptions, version string) (<-chan watch.Event, error) {
	options.ResourceVersion = version
	opened, err := w.client.watch(w.ctx, r, options)
	if err != nil {
		return nil, err
	}
	w.opened = append(w.opened, opened)
	return opened.ResultChan(), nil
}

// wait returns nil when a read would show something new, or may.
func (w *waiter) wait() error {
	view, err := w.open(configMaps, w.recordOnly(), w.read.maps)
	if err != nil {
		return err
	}
	all, err := w.open(leases, w.ofCluster(), w.read.leases)
	if err != nil {
		return err
	}
	pods := w.openPods()
	timer := time.NewTimer(w.config.longestWait)
	defer timer.Stop()
	for changed := false; !changed; {
		timer.Reset(w.next())
		select {
		case e, open := <-view:
			changed, err = w.recordChanged(e, open)
		case e, open := <-all:
			changed, err = w.leaseChanged(e, open)
		case e, open := <-pods:
			if w.podReported(e, open); !open || e.Type == watch.Error {
				pods = nil // until the next Wait
			}
		case <-timer.C:
			return nil
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// next is how long it takes until somebody is to be taken for dead.
func (w *waiter) next() time.Duration {
	next, now := w.config.longestWait, w.config.now()
	for uid, h := range w.read.alive {
		if at, mayAct := w.due(uid, h); mayAct {
			next = min(next, at-now)
		}
	}
	return max(next, 0)
}

// failed gives the error of an event that is one.
func failed(e watch.Event, open bool) error {
	switch {
	case !open:
		return errWatchEnded
	case e.Type == watch.Error:
		return apierrors.FromObject(e.Object)
	}
	return nil
}

func (w *waiter) recordChanged(e watch.Event, open bool) (bool, error) {
	err := failed(e, open)
	return err == nil && e.Type != watch.Bookmark, err
}

// leaseChanged reports whether somebody has come or gone.
func (w *waiter) leaseChanged(e watch.Event, open bool) (bool, error) {
	if err := failed(e, open); err != nil {
		return false, err
	}
	l, ok := e.Object.(*coordinationv1.Lease)
	if !ok || e.Type == watch.Bookmark {
		return false, nil
	}
	h, ours := w.readLease(l)
	was, alive := w.read.alive[l.UID]
	if e.Type == watch.Deleted {
		return alive, nil
	}
	w.look(l.UID, l.ResourceVersion, w.config.now())
	if is := ours && h.id != ""; is != alive {
		return true, nil
	}
	if alive {
		w.read = w.read.with(l.UID, h) // it may name its container by now
	}
	return alive && (h.id != was.id || h.data != was.data), nil
}

// with gives a version in which a Lease says something else.
func (v *version) with(uid types.UID, h held) *version {
	if v.alive[uid] == h {
		return v
	}
	next := *v
	next.alive = make(map[types.UID]held, len(v.alive))
	maps.Copy(next.alive, v.alive)
	next.alive[uid] = h
	return &next
}

// podReported notes what a kubelet says. Whether somebody is dead by that, next tells. A watch that has just ended is
// opened anew where it was.
func (w *waiter) podReported(e watch.Event, open bool) {
	if open && e.Type == watch.Error {
		w.forgetPods()
	}
	if pod, ok := e.Object.(*corev1.Pod); ok {
		w.seePod(pod, e.Type == watch.Deleted)
	}
}
