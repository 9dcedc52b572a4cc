package k8s

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

// kubelet reports the status of a pod's container.
func (b *bench) kubelet(pod string, status corev1.ContainerStatus) {
	b.t.Helper()
	b.Report(b.t, b.namespace, pod, corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{status}})
}

// awaitContainer waits until the Lease of a member names its container.
func (b *bench) awaitContainer(id string) {
	b.t.Helper()
	for ctx := within(b.t); ; {
		if l := b.lease(id); l != nil && l.Annotations["granary.dev/container-id"] != "" {
			return
		}
		if ctx.Err() != nil {
			b.t.Fatalf("the Lease of %s does not name its container: %v", id, b.lease(id))
		}
	}
}

// memberIn begins a member in a pod that it makes.
func (b *bench) memberIn(n int, pod string, ttl time.Duration) *membertest.Process {
	b.t.Helper()
	began := time.Now()
	b.Pod(b.t, b.namespace, pod, map[string]string{"app": "shop"})
	b.kubelet(pod, isRunning("member", "c://"+pod, 0, began))
	return b.join(b.config, n, new(membertest.Journal), WithPod(pod), WithTTL(ttl), func(c *config) {
		c.started = func() (time.Time, bool) { return began, true }
	})
}

// A rolling update: each new member is in before an old one leaves. Nobody else is removed, and the view never has
// fewer than three.
func TestRollingUpdate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	members := []*membertest.Process{}
	for n := range 3 {
		members = append(members, b.memberIn(n, fmt.Sprintf("old-%d", n), leaseTime))
	}
	membertest.Together(t, members...)
	for n := range 3 {
		fresh := b.memberIn(10+n, fmt.Sprintf("new-%d", n), leaseTime)
		all := append(slices.Clone(members), fresh)
		membertest.Together(t, all...)
		old := members[0]
		ctx := within(t)
		if err := errors.Join(old.Session.Drain(ctx), old.Session.Leave(ctx)); err != nil {
			t.Fatal(err)
		}
		if l := b.lease(string(old.ID)); l != nil {
			t.Errorf("a member that has left has a Lease: %v", l.Spec)
		}
		old.Crash(t) // the process ends
		b.DeletePod(t, b.namespace, fmt.Sprintf("old-%d", n))
		members = all[1:]
		for _, m := range members {
			if v := m.Holds(t, members...); len(v.Members) < 3 {
				t.Errorf("a view of %d members", len(v.Members))
			}
		}
	}
	for _, m := range members {
		if m.Removals > 0 {
			t.Errorf("%s was removed on the way", m.ID)
		}
	}
}

// Whose container the kubelet reports as terminated is out of the view at once, and not when its Lease ends, which is
// eight seconds later at the least.
func TestContainerCrashes(t *testing.T) {
	t.Parallel()
	const long = 12 * time.Second
	b := newBench(t)
	members := []*membertest.Process{b.memberIn(0, "p0", long), b.memberIn(1, "p1", long), b.memberIn(2, "p2", long)}
	membertest.Together(t, members...)
	b.awaitContainer(string(members[0].ID))
	members[0].Crash(t)
	begun := time.Now()
	gone := isRunning("member", "c://p0", 0, begun)
	gone.State = corev1.ContainerState{Terminated: terminated("c://p0", "Error")}
	b.kubelet("p0", gone)
	for _, m := range members[1:] {
		m.Holds(t, members[1:]...)
	}
	if passed := time.Since(begun); passed > long/2 {
		t.Errorf("a member whose container has terminated was removed after %v", passed)
	}
	if members[1].Removals+members[2].Removals > 0 {
		t.Error("somebody else was removed")
	}
}

// kubectl get pods shows the cluster: members and kinds are labels, the address is an annotation. kubectl get leases
// shows who is alive.
func TestListings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	m := b.memberIn(7, "shop-7", leaseTime)
	m.Holds(t, m)
	pod := "/api/v1/namespaces/" + b.namespace + "/pods"
	columns, rows := b.Table(t, pod+"?labelSelector=granary.dev/cluster%3Dshop,granary.dev/kind-Cart")
	if len(rows) != 1 || columns[0] != "Name" || rows[0][0] != "shop-7" {
		t.Fatalf("the pods that host Cart are %q: %q; want shop-7", columns, rows)
	}
	labels := rows[0][len(rows[0])-1]
	for _, want := range []string{"granary.dev/cluster=shop", "granary.dev/member=" + string(m.ID), "granary.dev/kind-Cart=1",
		"granary.dev/" + "kind-" + kindWord("Straße 7") + "=1", "app=shop"} {
		if !strings.Contains(labels, want) {
			t.Errorf("the pod's labels are %s; want %s, too", labels, want)
		}
	}
	var got corev1.Pod
	b.Do(t, http.MethodGet, pod+"/shop-7", nil, &got)
	if got.Annotations["granary.dev/address"] != "10.0.0.7:8090" || got.Annotations["granary.dev/kinds"] != "Cart,Straße 7" {
		t.Errorf("the pod's annotations are %v", got.Annotations)
	}
	columns, rows = b.Table(t, b.leasePath("")[:len(b.leasePath(""))-1])
	if len(rows) != 1 || columns[1] != "Holder" || rows[0][0] != leaseName("shop", string(m.ID)) || rows[0][1] != string(m.ID) {
		t.Errorf("the Leases are %q: %q; want one held by %s", columns, rows, m.ID)
	}
	if err := m.Session.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	b.Do(t, http.MethodGet, pod+"/shop-7", nil, &got)
	got = corev1.Pod{}
	b.Do(t, http.MethodGet, pod+"/shop-7", nil, &got)
	if len(got.Labels) != 2 || len(got.Annotations) != 0 || got.Labels["granary.dev/cluster"] != "shop" {
		t.Errorf("a member that has left is still shown: labels %v, annotations %v", got.Labels, got.Annotations)
	}
}

// A record that somebody has broken is not acted on, and what somebody has added to the ConfigMap stays.
func TestRecordTamperedWith(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.store()
	if err := s.Write(within(t), b.read(s), []byte("first")); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/namespaces/" + b.namespace + "/configmaps/granary-shop"
	b.Do(t, http.MethodPatch, path, map[string]any{"metadata": map[string]any{"labels": map[string]string{"mine": "yes"}}, "data": nil}, nil)
	r := b.read(s)
	if r.Data == nil || len(r.Data) > 0 {
		t.Errorf("a ConfigMap without a record is read as %q, nil %t; want an empty record", r.Data, r.Data == nil)
	}
	if err := s.Write(within(t), r, []byte("bin\xff")); err != nil {
		t.Fatal(err)
	}
	if r = b.read(s); string(r.Data) != "bin\xff" {
		t.Errorf("read is %q", r.Data)
	}
	var got corev1.ConfigMap
	b.Do(t, http.MethodGet, path, nil, &got)
	if got.Labels["mine"] != "yes" || got.Labels["granary.dev/cluster"] != "shop" {
		t.Errorf("the labels are %v", got.Labels)
	}
	b.Do(t, http.MethodDelete, path, nil, nil)
	if err := s.Write(within(t), r, []byte("late")); !errors.Is(err, driver.ErrConflict) {
		t.Errorf("Write over a record that was deleted: %v; want %v", err, driver.ErrConflict)
	}
	if err := s.Write(within(t), r, make([]byte, MaxRecord+1)); err == nil || !strings.Contains(err.Error(), "a ConfigMap takes") {
		t.Errorf("Write of too much: %v; want an error that says so", err)
	}
}

// Members with another label prefix do not see each other's Leases: who comes with another one is told so, and takes nobody
// for dead.
func TestAnotherLabelPrefix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.memberIn(1, "p", ttl)
	p.Holds(t, p)
	other := NewWithConfig(b.config, WithNamespace(b.namespace), WithPod(""), WithTTL(ttl), WithLabelPrefix("other.dev"))
	session, err := other.Join(within(t), request("B", "127.0.0.1:2"))
	if err == nil {
		_, err = session.Watch(within(t), 0)
		_ = session.Close()
		t.Errorf("Join succeeded; Watch: %v", err)
	} else if !strings.Contains(err.Error(), "WithLabelPrefix") || !strings.Contains(err.Error(), `"granary.dev"`) || errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Join: %v; want an error that names both prefixes", err)
	}
	if p.Holds(t, p); p.Removals > 0 {
		t.Error("the member was removed")
	}
}

// Leases that others keep under the cluster's label, and nonsense in ours, make nobody alive or dead.
func TestStrangeLeases(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := b.store()
	b.register(s, "A", ttl)
	lease := func(name string, annotations, spec map[string]any) {
		b.Do(t, http.MethodPost, strings.TrimSuffix(b.leasePath(""), "/"), map[string]any{
			"metadata": map[string]any{"name": name, "labels": shopLabel, "annotations": annotations}, "spec": spec,
		}, nil)
	}
	lease("stranger", nil, map[string]any{"holderIdentity": "elected", "leaseDurationSeconds": 1})
	lease("timeless", map[string]any{"granary.dev/description": "x", "granary.dev/restarts": "many"}, map[string]any{"holderIdentity": "timeless"})
	var c clock
	reader := b.store(c.set)
	b.alive(reader, "at first", "A", "timeless")
	c.add(ttl)
	b.alive(reader, "later", "timeless")
	c.add(10 * time.Minute)
	b.alive(reader, "after the longest lease")
	if _, err := b.store().Register(within(t), "A", nil, ttl); err == nil || !strings.Contains(err.Error(), "there already") {
		t.Errorf("Register of an id that is there: %v; want an error that says so", err)
	}
	if _, err := b.store().Register(within(t), "", nil, ttl); err == nil {
		t.Error("Register without an id succeeded")
	}
	if _, err := b.store().Renew(within(t)); !errors.Is(err, errNotRegistered) {
		t.Errorf("Renew without a Lease: %v; want %v", err, errNotRegistered)
	}
	if err := b.store().Unregister(within(t)); !errors.Is(err, errNotRegistered) {
		t.Errorf("Unregister without a Lease: %v; want %v", err, errNotRegistered)
	}
}

// A member whose Register was not answered can take back the Lease that it does not know.
func TestUnregisterWhatWasNotAnswered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	other := b.store()
	b.config = b.Config()
	b.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if err == nil && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/leases") {
				answer.Body.Close()
				return nil, errors.New("the answer is lost")
			}
			return answer, err
		})
	})
	s := b.store()
	if _, err := s.Register(within(t), "A", nil, ttl); err == nil {
		t.Fatal("Register succeeded without an answer")
	}
	b.alive(other, "after Register", "A")
	if err := s.Unregister(within(t)); err != nil {
		t.Error(err)
	}
	b.alive(other, "after Unregister")
	if err := s.Unregister(within(t)); !errors.Is(err, driver.ErrLeaseLost) {
		t.Errorf("Unregister again: %v; want %v", err, driver.ErrLeaseLost)
	}
}

// A session ends with all that it has begun: no goroutine is left, and no connection. It runs alone.
func TestNothingIsLeft(t *testing.T) {
	b := newBench(t)
	before := runtime.NumGoroutine()
	members := []*membertest.Process{}
	for n := range 2 {
		p := &membertest.Process{Provider: b.provider(b.config), Request: memberRequest(n)}
		if err := p.Join(within(t)); err != nil {
			t.Fatal(err)
		}
		members = append(members, p)
	}
	members[0].Holds(t, members...)
	for _, p := range members {
		if err := errors.Join(p.Session.Leave(within(t)), p.Session.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for ctx := within(t); runtime.NumGoroutine() > before; runtime.Gosched() {
		if ctx.Err() != nil {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines are left, %d were there before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
