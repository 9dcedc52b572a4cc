package k8s

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

var (
	errNotRegistered = errors.New("k8s: this process has no Lease; call Register first")
	errChanged       = errors.New("k8s: somebody else has changed the Lease, or an earlier renewal was answered too late; renew it again")
)

// held is what a Lease says of a member. It is alive as long as the Lease has a holder.
type held struct {
	id       driver.MemberID // the holder; empty once the Lease was emptied
	data     string          // the member's description
	duration time.Duration
	in       container // of the member; empty if it is not known
}

// read reads a Lease; false if no member of ours wrote it.
func (s *store) readLease(l *coordinationv1.Lease) (held, bool) {
	data, ours := l.Annotations[s.key("description")]
	if !ours {
		return held{}, false
	}
	h := held{data: data, duration: record.MaxTTL, in: s.readContainer(l.Annotations)}
	if l.Spec.HolderIdentity != nil {
		h.id = driver.MemberID(*l.Spec.HolderIdentity)
	}
	if d := l.Spec.LeaseDurationSeconds; d != nil && *d > 0 {
		h.duration = time.Duration(*d) * time.Second
	}
	return h, true
}

// Register implements [driver.RecordStore]: it makes a Lease that this member holds. It has no owner: Kubernetes would
// delete it with the pod's object, and a pod whose object is gone may still run.
func (s *store) Register(ctx context.Context, id driver.MemberID, data []byte, ttl time.Duration) (time.Duration, error) {
	if id == "" {
		return 0, errors.New("k8s: register a member: its id is empty")
	}
	seconds := min(int64((ttl+time.Second-1)/time.Second), math.MaxInt32) // Leases count whole ones
	holder, duration, now := string(id), int32(max(seconds, 1)), metav1.NowMicro()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: leaseName(s.cluster, holder), Namespace: s.client.namespace, Labels: s.marks(),
			Annotations: s.notes(map[string]string{"member": holder, "description": string(data)}),
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &duration, AcquireTime: &now, RenewTime: &now},
	}
	s.mu.Lock()
	s.id, s.name, s.lasts = id, lease.Name, time.Duration(duration)*time.Second
	s.mu.Unlock()
	made := new(coordinationv1.Lease)
	switch err := s.client.create(ctx, leases, lease, made); {
	case isExists(err):
		s.mu.Lock()
		s.name = "" // it is another's
		s.mu.Unlock()
		return 0, fmt.Errorf("k8s: the Lease %s is there already: two members have one id, or an earlier try is not forgotten yet; "+
			"it ends %v after its last renewal", lease.Name, ttl)
	case err != nil:
		return 0, s.explain(ctx, "make a Lease", err)
	}
	s.mu.Lock()
	s.mine = made
	s.mu.Unlock()
	s.markPod(ctx)
	return time.Duration(duration) * time.Second, nil
}

// Renew implements [driver.RecordStore]: an update that fails if anybody has changed the Lease, above all who emptied it.
// Each one changes the Lease, for the others go by that: what it says of the time is for people.
func (s *store) Renew(ctx context.Context) (time.Duration, error) {
	mine, in := s.registered()
	if mine == nil {
		return 0, errNotRegistered
	}
	next := mine.DeepCopy()
	now := metav1.NowMicro()
	if last := mine.Spec.RenewTime; last != nil && !now.After(last.Time) { // the clock was set back
		now = metav1.NewMicroTime(last.Add(time.Microsecond))
	}
	next.Spec.RenewTime = &now
	s.writeContainer(next.Annotations, in)
	got := new(coordinationv1.Lease)
	switch err := s.client.update(ctx, leases, next, got); {
	case isNotFound(err):
		return 0, driver.ErrLeaseLost
	case isConflict(err):
		return 0, s.reread(ctx, mine.UID)
	case err != nil:
		return 0, s.explain(ctx, "renew the Lease", err)
	}
	if got.UID != mine.UID || got.ResourceVersion == mine.ResourceVersion {
		return 0, s.explain(ctx, "renew the Lease", fmt.Errorf("%w: the renewal has changed nothing", errNonsense))
	}
	s.mu.Lock()
	s.mine = got
	s.mu.Unlock()
	h, _ := s.readLease(got)
	return h.duration, nil
}

// reread finds out whether the Lease is lost, or was changed by somebody and is to be renewed again.
func (s *store) reread(ctx context.Context, uid types.UID) error {
	got, err := s.own(ctx)
	switch {
	case err != nil:
		return err
	case got.UID != uid:
		return driver.ErrLeaseLost
	}
	s.mu.Lock()
	s.mine = got
	s.mu.Unlock()
	return errChanged
}

// own gets the Lease of this member; it is lost if another holds it, or nobody.
func (s *store) own(ctx context.Context) (*coordinationv1.Lease, error) {
	s.mu.Lock()
	name, id := s.name, s.id
	s.mu.Unlock()
	got := new(coordinationv1.Lease)
	switch err := s.client.get(ctx, leases, name, got); {
	case isNotFound(err):
		return nil, driver.ErrLeaseLost
	case err != nil:
		return nil, s.explain(ctx, "read the own Lease", err)
	}
	if h, ours := s.readLease(got); !ours || h.id != id || got.Labels[s.key("cluster")] != clusterWord(s.cluster) {
		return nil, driver.ErrLeaseLost // also if others cannot find it
	}
	return got, nil
}

// registered gives the Lease as it was known last, nil if there is none, and the container it is to name.
func (s *store) registered() (*coordinationv1.Lease, container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mine, s.in
}

// Unregister implements [driver.RecordStore]: it deletes the Lease. What is not known of it, because the call that made
// it was not answered, is read first.
func (s *store) Unregister(ctx context.Context) error {
	s.mu.Lock()
	mine, name := s.mine, s.name
	s.mu.Unlock()
	if name == "" {
		return errNotRegistered
	}
	if mine == nil {
		var err error
		if mine, err = s.own(ctx); err != nil {
			return err
		}
	}
	err := s.client.remove(ctx, leases, name, mine.UID, "")
	if err != nil && !isNotFound(err) && !isConflict(err) { // a conflict is about another Lease of that name
		return s.explain(ctx, "delete the Lease", err)
	}
	s.unmarkPod(ctx)
	return nil
}

// empty takes a Lease from its holder, on the condition that nobody has changed it since it was read. It belongs to
// the pod from then on, and goes with it; nobody holds it any more.
func (s *store) empty(ctx context.Context, l *coordinationv1.Lease, h held, why string) error {
	next := l.DeepCopy()
	next.Spec.HolderIdentity = nil
	next.Annotations[s.key("emptied")] = why
	if h.in.uid != "" && h.in.pod != "" {
		next.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: h.in.pod, UID: h.in.uid}}
	}
	return s.client.update(ctx, leases, next, new(coordinationv1.Lease))
}
