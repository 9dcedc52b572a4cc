package k8s

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// again is how long after a failure a Lease is tried to be emptied once more.
	again = time.Second
	// swept is how many Leases that nobody holds any more are deleted in one read.
	swept = 8
)

// sight is a Lease as this process saw it last.
type sight struct {
	version string
	// at is since when it has been unchanged, as far as this process knows, by its clock. The last renewal was begun
	// before: a member's lease ends within nine tenths of the duration after it, by the member's own clock.
	at time.Duration
	// tried is when it could not be emptied; 0 if that was not tried.
	tried time.Duration
}

// look notes what is seen of a Lease.
func (s *store) look(uid types.UID, version string, now time.Duration) sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.sights[uid]
	if !known || seen.version != version {
		seen = sight{version: version, at: now}
		s.sights[uid] = seen
	}
	return seen
}

// postpone notes that a Lease could not be emptied.
func (s *store) postpone(uid types.UID, now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.sights[uid]
	seen.tried = now
	s.sights[uid] = seen
}

// forget drops what was seen of Leases that are not there any more, and of pods that none of them is about.
func (s *store) forget(all []coordinationv1.Lease) {
	there := make(map[types.UID]bool, len(all))
	pods := make(map[types.UID]bool, len(all))
	for i := range all {
		there[all[i].UID] = true
		pods[s.readContainer(all[i].Annotations).uid] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for uid := range s.sights {
		if !there[uid] {
			delete(s.sights, uid)
		}
	}
	for uid, pod := range s.pods.seen {
		if pod.gone && !pods[uid] {
			delete(s.pods.seen, uid)
		}
	}
}

// due tells when a member is to be taken for dead, by this process's clock; false if this is not for it to decide. All
// members ask for the same lease time: a Lease with less was edited by hand, and its member does not know that before its
// next renewal.
func (s *store) due(uid types.UID, h held) (time.Duration, bool) {
	why := s.ended(h.in)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, known := s.sights[uid]
	if !known || s.observes {
		return 0, false
	}
	at := seen.at + max(h.duration, s.lasts)
	if why != "" {
		at = seen.at
	}
	if seen.tried != 0 {
		at = max(at, seen.tried+again)
	}
	return at, true
}

// judge decides in one read who is alive.
type judge struct {
	*store
	now     time.Duration // when the Leases were read
	removed int           // Leases that were deleted
}

// alive reports whether a Lease is one of a living member. Whoever is dead loses the Lease first, by an update on the
// condition that nothing has changed: a renewal that is under way fails then, or has come before and this fails.
func (j *judge) alive(ctx context.Context, l *coordinationv1.Lease) (held, bool) {
	h, ours := j.readLease(l)
	if !ours {
		return held{}, false
	}
	seen := j.look(l.UID, l.ResourceVersion, j.now)
	if h.id == "" {
		j.sweep(ctx, l, h, seen)
		return held{}, false
	}
	at, mayAct := j.due(l.UID, h)
	if !mayAct || j.now < at {
		return h, true
	}
	why := j.ended(h.in)
	if why == "" {
		why = fmt.Sprintf("its Lease was not renewed for %v", h.duration)
	}
	switch err := j.empty(ctx, l, h, why); {
	case err == nil:
		j.logger.Info("k8s: took the Lease from a member that is dead", "member", h.id, "lease", l.Name, "reason", why)
		return held{}, false
	case isNotFound(err):
		return held{}, false
	case isConflict(err):
		return h, true // the watch will tell what has changed
	default:
		j.postpone(l.UID, j.now)
		j.warn("the Lease of a dead member could not be emptied", j.explain(ctx, "empty the Lease "+l.Name, err))
		return h, true
	}
}

// sweep deletes a Lease that was emptied a while ago. If that fails the next read does it.
func (j *judge) sweep(ctx context.Context, l *coordinationv1.Lease, h held, seen sight) {
	if j.observes || j.now < seen.at+h.duration || j.removed >= swept {
		return
	}
	j.removed++
	err := j.client.remove(ctx, leases, l.Name, l.UID, l.ResourceVersion)
	if err == nil || isNotFound(err) || isConflict(err) {
		err = nil
	}
	j.warn("a Lease that nobody holds could not be deleted", j.explain(ctx, "delete the Lease "+l.Name, err))
}
