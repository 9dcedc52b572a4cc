package k8s

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// markTimeout bounds what is written on the pod, which nothing waits for.
const markTimeout = time.Second

// podTable is what the kubelets say of the cluster's pods. It is for proofs only: that one is not in it proves nothing.
type podTable struct {
	version string // where a watch goes on; empty if they are to be listed
	seen    map[types.UID]podSight
}

type podSight struct {
	statuses []corev1.ContainerStatus
	gone     bool // the pod's object is; what was said last stays true
}

// readPods lists the pods where no watch can go on. Without them members that crash are found by their Leases alone.
func (s *store) readPods(ctx context.Context) {
	s.mu.Lock()
	known := s.pods.version != ""
	s.mu.Unlock()
	if known || s.observes {
		return
	}
	list := new(corev1.PodList)
	err := s.client.list(ctx, pods, s.ofCluster(), list)
	s.warn("the pods cannot be read; containers that end are noticed after the lease time", s.explain(ctx, "read the pods", err))
	if err != nil {
		return
	}
	s.mu.Lock()
	for uid, pod := range s.pods.seen {
		pod.gone = true
		s.pods.seen[uid] = pod
	}
	s.pods.version = list.ResourceVersion
	s.mu.Unlock()
	for i := range list.Items {
		s.see(&list.Items[i], false)
	}
}

// openPods watches the pods; nil if that is not possible.
func (w *waiter) openPods() <-chan watch.Event {
	w.mu.Lock()
	version := w.pods.version
	w.mu.Unlock()
	if version == "" {
		return nil
	}
	events, err := w.open(pods, w.ofCluster(), version)
	if err != nil {
		if w.ctx.Err() != nil {
			return nil
		}
		if w.forgetPods(); !expired(err) {
			w.warn("the pods cannot be watched; containers that end are noticed late", w.explain(w.ctx, "watch the pods", err))
		}
		return nil
	}
	return events
}

// forgetPods makes the next read list the pods.
func (s *store) forgetPods() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods.version = ""
}

// seePod notes what a watch told.
func (s *store) seePod(pod *corev1.Pod, gone bool) {
	s.mu.Lock()
	s.pods.version = pod.ResourceVersion
	s.mu.Unlock()
	s.see(pod, gone)
}

func (s *store) see(pod *corev1.Pod, gone bool) {
	all := statuses(pod)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods.seen[pod.UID] = podSight{statuses: all, gone: gone}
	if pod.UID != s.in.uid || s.in.id != "" || s.in.name == "" {
		return
	}
	if started, ok := s.config.started(); ok {
		if id, restarts, certain := running(all, s.in.name, started); certain {
			s.in.id, s.in.restarts = id, restarts
		}
	}
}

// ended says how a member's container has ended; empty if nobody has seen that.
func (s *store) ended(in container) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return in.ended(s.pods.seen[in.uid].statuses)
}

// findPod finds out what this process runs in. Where it cannot, the member has no label and no proof of its end.
func (s *store) findPod(ctx context.Context) {
	if s.observes || s.config.pod == "" {
		return
	}
	pod := new(corev1.Pod)
	err := s.client.get(ctx, pods, s.config.pod, pod)
	if err == nil && s.config.podUID != "" && pod.UID != s.config.podUID {
		err = fmt.Errorf("it has the uid %s, and this process runs in a pod with %s: it was replaced", pod.UID, s.config.podUID)
	}
	if err != nil {
		s.warn("the own pod is not known: it gets no labels, and if its container ends that is noticed after the lease time",
			s.explain(ctx, "read the pod "+s.config.pod, err))
		return
	}
	name, err := containerName(pod, s.config.container)
	s.warn("the own container is not known: if it ends that is noticed after the lease time", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = container{pod: pod.Name, uid: pod.UID, name: name}
	s.labels = pod.Labels
}

// containerName is the one that was set, or the only one that there is.
func containerName(pod *corev1.Pod, set string) (string, error) {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		if set != "" && c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			names = append(names, c.Name)
		}
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	switch {
	case set == "" && len(names) == 1:
		return names[0], nil
	case set == "":
		return "", fmt.Errorf("k8s: the pod %s has the containers %s: name this process's by WithContainer", pod.Name, strings.Join(names, ", "))
	case !slices.Contains(names, set):
		return "", fmt.Errorf("k8s: the pod %s has no container %q, but %s: correct WithContainer", pod.Name, set, strings.Join(names, ", "))
	}
	return set, nil
}

// markPod shows the member on its pod. Its membership does not depend on it.
func (s *store) markPod(ctx context.Context) {
	labels, notes := map[string]any{s.key("cluster"): clusterWord(s.cluster)}, map[string]any{}
	if id := string(s.member.ID); fitsLabel.MatchString(id) {
		labels[s.key("member")] = id
	}
	kinds := make([]string, 0, len(s.member.Kinds))
	for _, k := range s.member.Kinds {
		kinds = append(kinds, k.Name)
		labels[s.key("kind-")+kindWord(k.Name)] = "1"
	}
	notes[s.key("address")], notes[s.key("kinds")] = s.member.Address, strings.Join(kinds, ",")
	s.mu.Lock()
	for key := range s.labels {
		if _, stays := labels[key]; !stays && s.shown(key) {
			labels[key] = nil // of the process before
		}
	}
	s.mu.Unlock()
	s.patchPod(ctx, labels, notes)
}

// shown reports whether a label is one that markPod sets for a member.
func (s *store) shown(key string) bool {
	return key == s.key("member") || strings.HasPrefix(key, s.key("kind-"))
}

// unmarkPod takes the member off its pod. The pod stays one of the cluster's.
func (s *store) unmarkPod(ctx context.Context) {
	labels := map[string]any{s.key("member"): nil}
	for _, k := range s.member.Kinds {
		labels[s.key("kind-")+kindWord(k.Name)] = nil
	}
	s.patchPod(ctx, labels, map[string]any{s.key("address"): nil, s.key("kinds"): nil})
}

func (s *store) patchPod(ctx context.Context, labels, notes map[string]any) {
	s.mu.Lock()
	in := s.in
	s.mu.Unlock()
	if in.uid == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	// With the uid it fails where the pod was replaced by another of its name.
	err := s.client.patch(ctx, pods, in.pod, map[string]any{"uid": in.uid, "labels": labels, "annotations": notes})
	s.warn("the pod does not show its member", s.explain(ctx, "label the pod "+in.pod, err))
}
