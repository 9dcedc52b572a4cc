package k8s

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// container names one run of a member's container. The Lease of a member has it once it is certain.
type container struct {
	pod      string
	uid      types.UID
	name     string
	id       string // as the kubelet reports it; empty as long as it is not certain
	restarts int32
}

// unlocated is the reason that the kubelet gives for a container that it cannot find. That one may still run.
const unlocated = "ContainerStatusUnknown"

func (s *store) readContainer(annotations map[string]string) container {
	restarts, _ := strconv.ParseInt(annotations[s.key("restarts")], 10, 32)
	return container{
		pod: annotations[s.key("pod")], uid: types.UID(annotations[s.key("pod-uid")]), name: annotations[s.key("container")],
		id: annotations[s.key("container-id")], restarts: int32(restarts),
	}
}

func (s *store) writeContainer(annotations map[string]string, c container) {
	if c.uid == "" {
		return
	}
	annotations[s.key("pod")], annotations[s.key("pod-uid")] = c.pod, string(c.uid)
	if c.id != "" {
		annotations[s.key("container")], annotations[s.key("container-id")] = c.name, c.id
		annotations[s.key("restarts")] = strconv.Itoa(int(c.restarts))
	}
}

// statuses are those of all containers that a member may run in.
func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses)
}

// ended says how the kubelet has seen this run of the container end; empty if it has not. Nothing else about a pod
// proves that: neither its phase, which is also set by those who have lost sight of the node, nor that it is gone.
func (c container) ended(all []corev1.ContainerStatus) string {
	if c.id == "" {
		return ""
	}
	for _, status := range all {
		if status.Name != c.name {
			continue
		}
		for _, t := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
			if t != nil && t.ContainerID == c.id && t.Reason != unlocated {
				return fmt.Sprintf("its container has terminated with exit code %d (%s)", t.ExitCode, t.Reason)
			}
		}
		last := status.LastTerminationState.Terminated
		lost := last != nil && last.Reason == unlocated
		if status.ContainerID != "" && status.ContainerID != c.id && status.RestartCount > c.restarts && !lost {
			return fmt.Sprintf("its container was restarted (%d times, %d when it joined)", status.RestartCount, c.restarts)
		}
	}
	return ""
}

// startSlack is how much later than the process the kubelet may say that its container started. It is earlier by less
// than a second, for the kubelet leaves out the fraction.
const startSlack = 30 * time.Second

// running finds the run of a container that a process is in, which began at started. The kubelet reports late, so that
// what it says may be about the run before, which is over: that one started before this process did. Both times are of
// the clock of one node.
func running(all []corev1.ContainerStatus, name string, started time.Time) (id string, restarts int32, certain bool) {
	for _, status := range all {
		if status.Name != name || status.State.Running == nil || status.ContainerID == "" {
			continue
		}
		if after := status.State.Running.StartedAt.Sub(started); after > -time.Second && after < startSlack {
			return status.ContainerID, status.RestartCount, true
		}
	}
	return "", 0, false
}

// processStart tells when this process began, by this machine's clock as it is set now; false where there is no /proc.
func processStart() (time.Time, bool) {
	const ticks = 100 // a second, in what Linux tells programs
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return time.Time{}, false
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return time.Time{}, false
	}
	now := time.Now()
	// The name of the program, in parentheses, may hold anything; the start is the 20th field behind it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	up := bytes.Fields(uptime)
	if len(fields) < 20 || len(up) == 0 {
		return time.Time{}, false
	}
	start, err := strconv.ParseFloat(string(fields[19]), 64)
	if err != nil {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseFloat(string(up[0]), 64)
	if err != nil {
		return time.Time{}, false
	}
	return now.Add(-time.Duration((seconds - start/ticks) * float64(time.Second))), true
}
