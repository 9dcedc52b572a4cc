package k8s

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/granary-go/granary/cluster/driver"
)

func terminated(id, reason string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ContainerID: id, Reason: reason, ExitCode: 137}
}

func isRunning(name, id string, restarts int32, started time.Time) corev1.ContainerStatus {
	return corev1.ContainerStatus{
		Name: name, ContainerID: id, RestartCount: restarts, Image: "i", ImageID: "i",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(started)}},
	}
}

// ends are what a kubelet may say of the container "member" that ran as c://1 after two restarts.
var ends = []struct {
	name   string
	status corev1.ContainerStatus
	dead   bool
}{
	{"it runs", isRunning("member", "c://1", 2, time.Now()), false},
	{"it is not ready", corev1.ContainerStatus{Name: "member", ContainerID: "c://1", RestartCount: 2, Ready: false}, false},
	{"it has terminated", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://1", RestartCount: 2, State: corev1.ContainerState{Terminated: terminated("c://1", "Error")},
	}, true},
	{"it has terminated and waits", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://1", RestartCount: 3,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: terminated("c://1", "OOMKilled")},
	}, true},
	{"it was restarted", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://2", RestartCount: 3, LastTerminationState: corev1.ContainerState{Terminated: terminated("c://1", "Error")},
	}, true},
	{"it was restarted twice", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://3", RestartCount: 4, LastTerminationState: corev1.ContainerState{Terminated: terminated("c://2", "Error")},
	}, true},
	{"the one before has terminated", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://1", RestartCount: 2, LastTerminationState: corev1.ContainerState{Terminated: terminated("c://0", "Error")},
	}, false},
	{"the kubelet is behind, at the one before", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://0", RestartCount: 1, State: corev1.ContainerState{Terminated: terminated("c://0", "Error")},
	}, false},
	{"the kubelet has lost it", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://1", RestartCount: 3, State: corev1.ContainerState{Terminated: terminated("c://1", unlocated)},
	}, false},
	{"the kubelet has lost it, and begun another", corev1.ContainerStatus{
		Name: "member", ContainerID: "c://2", RestartCount: 3, LastTerminationState: corev1.ContainerState{Terminated: terminated("", unlocated)},
	}, false},
	{"another container has terminated", corev1.ContainerStatus{
		Name: "sidecar", ContainerID: "c://1", RestartCount: 9, State: corev1.ContainerState{Terminated: terminated("c://1", "Error")},
	}, false},
}

func TestWhatEndsAContainer(t *testing.T) {
	t.Parallel()
	run := container{pod: "p", uid: "u", name: "member", id: "c://1", restarts: 2}
	for _, c := range ends {
		if why := run.ended([]corev1.ContainerStatus{c.status}); (why != "") != c.dead {
			t.Errorf("%s: ended is %q; want an end: %t", c.name, why, c.dead)
		}
		if why := (container{pod: "p", uid: "u", name: "member"}).ended([]corev1.ContainerStatus{c.status}); why != "" {
			t.Errorf("%s: the end of a container that is not known is proven: %q", c.name, why)
		}
	}
}

func TestWhichRunIsTheOwn(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_000_000, 500_000_000)
	at := func(seconds int64) corev1.ContainerStatus {
		return isRunning("member", "c://1", 2, time.Unix(seconds, 0))
	}
	waiting := at(1_000_000)
	waiting.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	nameless := at(1_000_000)
	nameless.ContainerID = ""
	for name, c := range map[string]struct {
		status corev1.ContainerStatus
		own    bool
	}{
		"in the same second":          {at(1_000_000), true},
		"in the next":                 {at(1_000_001), true},
		"of the run before":           {at(999_999), false},
		"long before":                 {at(0), false},
		"of a pod that took its name": {at(1_000_040), false},
		"still waiting":               {waiting, false},
		"without an id":               {nameless, false},
	} {
		id, restarts, own := running([]corev1.ContainerStatus{{Name: "other"}, c.status}, "member", began)
		if own != c.own || own && (id != "c://1" || restarts != 2) {
			t.Errorf("a container started %s: %q, %d, own %t; want %t", name, id, restarts, own, c.own)
		}
	}
}

func TestProcessStart(t *testing.T) {
	t.Parallel()
	began, ok := processStart()
	if since := time.Since(began); !ok || since < 0 || since > time.Hour {
		t.Errorf("this process began %v ago, known: %t; want a little while", since, ok)
	}
}

// inPod gives the options of a process that began in a pod of the bench.
func (b *bench) inPod(pod string, began time.Time) func(*config) {
	return func(c *config) {
		c.pod = pod
		c.started = func() (time.Time, bool) { return began, true }
	}
}

var shopLabel = map[string]string{"granary.dev/cluster": "shop"}

// joined is a member in a pod of its own, whose Lease names its container.
func (b *bench) joined(id driver.MemberID, pod string) *store {
	b.t.Helper()
	began := time.Now()
	b.Pod(b.t, b.namespace, pod, shopLabel)
	b.Report(b.t, b.namespace, pod, corev1.PodStatus{
		Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{isRunning("member", "c://1", 2, began)},
	})
	member := b.store(b.inPod(pod, began))
	b.register(member, id, 10*time.Minute)
	b.read(member)
	b.renew(member)
	if l := b.lease(string(id)); l.Annotations["granary.dev/container-id"] != "c://1" {
		b.t.Fatalf("the Lease does not name the container: %v", l.Annotations)
	}
	return member
}

// Whose container has terminated loses its Lease at once, and by that alone is dead; nothing else that is said of a pod
// proves anything.
func TestTerminatedIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range ends {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			member := b.joined("A", "p")
			var stopped clock // nobody is dead because of the time
			reader := b.store(stopped.set, patient)
			since := b.alive(reader, "at first", "A")
			wait := later(func() error { return reader.Wait(within(t), since) })
			b.Report(t, b.namespace, "p", corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{c.status}})
			if !c.dead {
				b.alive(b.store(stopped.set), "for who comes later", "A")
				b.renew(member)
				b.register(b.store(), "B", ttl) // ends the wait, that has seen the report
				if err := wait(); err != nil {
					t.Error(err)
				}
				b.alive(reader, "after the report", "A", "B")
				return
			}
			if err := wait(); err != nil {
				t.Errorf("Wait: %v; want nil at once", err)
			}
			b.alive(reader, "after the report")
			l := b.lease("A")
			if l.Spec.HolderIdentity != nil || !strings.Contains(l.Annotations["granary.dev/emptied"], "its container") {
				t.Errorf("the Lease is held by %v, emptied because %q", l.Spec.HolderIdentity, l.Annotations["granary.dev/emptied"])
			}
			if len(l.OwnerReferences) != 1 || l.OwnerReferences[0].Name != "p" {
				t.Errorf("the emptied Lease is owned by %v; want the pod", l.OwnerReferences)
			}
			b.lost(member, "of a member that was proven dead")
		})
	}
}

// A pod's phase, its conditions, and that its object is gone prove nothing: the process may still run. Its Lease has no
// owner, so that it is not deleted with the pod.
func TestPodProvesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	member := b.joined("A", "p")
	if l := b.lease("A"); len(l.OwnerReferences) > 0 {
		t.Errorf("a Lease that is held has owners: %v", l.OwnerReferences)
	}
	var stopped clock
	reader := b.store(stopped.set)
	b.alive(reader, "at first", "A")
	b.Report(t, b.namespace, "p", corev1.PodStatus{
		Phase: corev1.PodFailed, Reason: "NodeLost",
		Conditions: []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByPodGC"}},
	})
	b.alive(b.store(stopped.set), "with the phase Failed", "A")
	b.DeletePod(t, b.namespace, "p")
	b.Pod(t, b.namespace, "p", shopLabel) // as a StatefulSet does
	b.Report(t, b.namespace, "p", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
		{Name: "member", ContainerID: "c://7", RestartCount: 7, State: corev1.ContainerState{Terminated: terminated("c://7", "Error")}},
	}})
	b.alive(b.store(stopped.set), "without its pod, and with another of its name", "A")
	b.alive(reader, "for who saw it all", "A")
	b.renew(member)
}

// The last that was said of a pod stays true when its object is gone.
func TestTerminatedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.joined("A", "p")
	var stopped clock
	reader := b.store(stopped.set)
	since := b.alive(reader, "at first", "A")
	b.Report(t, b.namespace, "p", corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{ends[2].status}})
	var last corev1.Pod
	b.Do(t, http.MethodGet, "/api/v1/namespaces/"+b.namespace+"/pods/p", nil, &last)
	b.DeletePod(t, b.namespace, "p")
	if err := reader.Wait(within(t), since); err != nil {
		t.Fatal(err)
	}
	reader.seePod(&last, true) // it need not have seen that yet
	b.alive(reader, "when the pod is gone")
}

// A kubelet reports late: what it says when a process begins may be about the run before. A member that took that for
// its own would be proven dead by the report that this one is over.
func TestRunBeforeIsNotTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.Pod(t, b.namespace, "p", shopLabel)
	began := time.Now()
	report := func(status corev1.ContainerStatus) {
		b.Report(t, b.namespace, "p", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{status}})
	}
	report(isRunning("member", "c://0", 0, began.Add(-time.Minute)))
	member := b.store(b.inPod("p", began))
	b.register(member, "A", 10*time.Minute)
	since := b.read(member)
	b.renew(member)
	if l := b.lease("A"); l.Annotations["granary.dev/container-id"] != "" {
		t.Errorf("the Lease names the run before: %v", l.Annotations)
	}
	wait := later(func() error { return member.Wait(within(t), since) })
	now := isRunning("member", "c://1", 1, began)
	now.LastTerminationState.Terminated = terminated("c://0", "Error")
	report(now)
	b.register(b.store(), "B", ttl)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	b.alive(member, "after the report", "A", "B")
	b.renew(member)
	if l := b.lease("A"); l.Annotations["granary.dev/container-id"] != "c://1" || l.Annotations["granary.dev/restarts"] != "1" {
		t.Errorf("the Lease does not name the run: %v", l.Annotations)
	}
	b.renew(member)
}

// A Lease that cannot be emptied stays its holder's, and the attempt is made again, not at once.
func TestLeaseThatCannotBeEmptied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.register(b.store(), "A", ttl)
	var c clock
	fails := true
	refused := 0
	b.config = b.Config()
	b.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if fails && r.Method == http.MethodPut {
				refused++
				return nil, http.ErrHandlerTimeout
			}
			return next.RoundTrip(r)
		})
	})
	reader := b.store(c.set)
	b.alive(reader, "at first", "A")
	c.add(ttl)
	b.alive(reader, "when it cannot be emptied", "A")
	b.alive(reader, "at once again", "A")
	if refused != 1 {
		t.Errorf("it was tried %d times at once; want once", refused)
	}
	fails = false
	c.add(again)
	b.alive(reader, "when it can")
}

// A process whose pod was deleted by force, and replaced by another of its name, does not take that for its own: neither
// does it mark it, nor is it dead when that one is.
func TestPodThatWasReplaced(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	began := time.Now()
	old := b.Pod(t, b.namespace, "p", shopLabel)
	b.DeletePod(t, b.namespace, "p")
	b.Pod(t, b.namespace, "p", shopLabel)
	b.kubelet("p", isRunning("member", "c://2", 0, began))
	member := b.store(b.inPod("p", began), func(c *config) { c.podUID = old })
	b.register(member, "A", 10*time.Minute)
	b.read(member)
	b.renew(member)
	if l := b.lease("A"); l.Annotations["granary.dev/pod-uid"] != "" {
		t.Errorf("the Lease names the other pod: %v", l.Annotations)
	}
	var pod corev1.Pod
	b.Do(t, http.MethodGet, "/api/v1/namespaces/"+b.namespace+"/pods/p", nil, &pod)
	if len(pod.Labels) != 1 {
		t.Errorf("the other pod is marked: %v", pod.Labels)
	}
}

func TestContainerName(t *testing.T) {
	t.Parallel()
	always := corev1.ContainerRestartPolicyAlways
	one := &corev1.Pod{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "setup"}, {Name: "proxy", RestartPolicy: &always}}, Containers: []corev1.Container{{Name: "member"}},
	}}
	two := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "member"}, {Name: "sidecar"}}}}
	for _, c := range []struct {
		pod             *corev1.Pod
		set, want, says string
	}{
		{one, "", "member", ""},
		{one, "proxy", "proxy", ""},
		{one, "setup", "", `no container "setup"`},
		{two, "", "", "WithContainer"},
		{two, "sidecar", "sidecar", ""},
		{two, "other", "", "member, sidecar"},
	} {
		name, err := containerName(c.pod, c.set)
		if name != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("the container set as %q is %q, error %v; want %q, %q", c.set, name, err, c.want, c.says)
		}
	}
}
