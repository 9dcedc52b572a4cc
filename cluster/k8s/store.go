package k8s

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/granary-go/granary/cluster/driver"
)

const (
	// MaxRecord is how large a view record may be, in bytes: so much Kubernetes lets the values of a ConfigMap have.
	MaxRecord = 1 << 20
	// recordKey is the key of the view record in the ConfigMap.
	recordKey = "view"
)

// store is a [driver.RecordStore] on Kubernetes, for one session.
type store struct {
	client  *client
	config  config
	cluster string
	member  driver.Member // as it is shown on its pod
	// observes says that the process only reads: it takes no Lease from its holder, and looks at no pods.
	observes bool
	logger   *slog.Logger

	mu     sync.Mutex      // guards the fields below
	id     driver.MemberID // of this member; empty before Register
	name   string          // of its Lease
	mine   *coordinationv1.Lease
	lasts  time.Duration // what this member asked for; 0 before Register
	in     container
	labels map[string]string // of its pod, as they were at first
	sights map[types.UID]sight
	pods   podTable
	said   map[string]string // the last warning about each matter
}

var _ driver.RecordStore = (*store)(nil)

// version is a [driver.Record] Version. Versions of Kubernetes are compared for equality only.
type version struct {
	record *metav1.ObjectMeta // of the ConfigMap; nil if there was none
	// maps and leases are where watches begin, so that they tell all that the read has not seen.
	maps, leases string
	alive        map[types.UID]held
}

// key is the key of a label or an annotation.
func (s *store) key(name string) string { return s.config.prefix + "/" + name }

// marks are the labels of everything that belongs to the cluster.
func (s *store) marks() map[string]string {
	return map[string]string{s.key("cluster"): clusterWord(s.cluster), "app.kubernetes.io/managed-by": "granary"}
}

// notes are annotations, the cluster's name among them.
func (s *store) notes(more map[string]string) map[string]string {
	all := map[string]string{s.key("cluster"): s.cluster}
	for name, value := range more {
		all[s.key(name)] = value
	}
	return all
}

// recordOnly selects the cluster's ConfigMap. It is listed rather than read, for a list has a version also if it is empty.
func (s *store) recordOnly() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", recordName(s.cluster)).String()}
}

// ofCluster selects what carries the cluster's label.
func (s *store) ofCluster() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: labels.SelectorFromSet(labels.Set{s.key("cluster"): clusterWord(s.cluster)}).String()}
}

// Read implements [driver.RecordStore]. Lists that ask for no resourceVersion are linearisable. A member whose Lease has
// been unchanged for its whole duration, or whose container has ended, is alive until its Lease is taken from it.
func (s *store) Read(ctx context.Context) (driver.Record, error) {
	views, all, err := s.lists(ctx)
	if err != nil {
		return driver.Record{}, err
	}
	now := s.config.now() // not before the answers came: a Lease may have been renewed until then
	s.readPods(ctx)
	v := &version{maps: views.ResourceVersion, leases: all.ResourceVersion, alive: make(map[types.UID]held)}
	r := driver.Record{Alive: make(map[driver.MemberID][]byte), Version: v}
	for i := range views.Items {
		v.record = &views.Items[i].ObjectMeta
		r.Data = recordOf(&views.Items[i])
	}
	s.forget(all.Items)
	j := judge{store: s, now: now}
	for i := range all.Items {
		if h, alive := j.alive(ctx, &all.Items[i]); alive {
			v.alive[all.Items[i].UID] = h
			r.Alive[h.id] = []byte(h.data)
		}
	}
	return r, nil
}

func (s *store) lists(ctx context.Context) (*corev1.ConfigMapList, *coordinationv1.LeaseList, error) {
	views, all := new(corev1.ConfigMapList), new(coordinationv1.LeaseList)
	if err := s.client.list(ctx, configMaps, s.recordOnly(), views); err != nil {
		return nil, nil, s.explain(ctx, "read the view record", err)
	}
	for i := range views.Items {
		if prefix := s.stranger(&views.Items[i]); prefix != "" {
			return nil, nil, fmt.Errorf("k8s: the ConfigMap %s is kept by members with the label prefix %q, and this process has %q: "+
				"give all of them the same WithLabelPrefix, or the cluster another name or namespace", views.Items[i].Name, prefix, s.config.prefix)
		}
	}
	if err := s.client.list(ctx, leases, s.ofCluster(), all); err != nil {
		return nil, nil, s.explain(ctx, "read the Leases", err)
	}
	return views, all, nil
}

// stranger gives the label prefix of those who keep a ConfigMap, if this process has another; else it is empty. Their
// Leases have other labels: nobody would see them, and take the members for dead.
func (s *store) stranger(m *corev1.ConfigMap) string {
	if _, ours := m.Labels[s.key("cluster")]; ours {
		return ""
	}
	for _, key := range slices.Sorted(maps.Keys(m.Labels)) {
		if prefix, is := strings.CutSuffix(key, "/cluster"); is && m.Labels[key] == clusterWord(s.cluster) {
			return prefix
		}
	}
	return ""
}

// recordOf is never nil: a ConfigMap without a record is a broken one, and not one that is not there.
func recordOf(m *corev1.ConfigMap) []byte {
	if text, has := m.Data[recordKey]; has {
		return []byte(text)
	}
	return append([]byte{}, m.BinaryData[recordKey]...)
}

// Write implements [driver.RecordStore]: the ConfigMap is made, or replaced if it has the version that was read.
func (s *store) Write(ctx context.Context, since driver.Record, data []byte) error {
	if len(data) > MaxRecord {
		return fmt.Errorf("k8s: a view record of %d bytes: a ConfigMap takes %d", len(data), MaxRecord)
	}
	next := new(corev1.ConfigMap)
	if utf8.Valid(data) {
		next.Data = map[string]string{recordKey: string(data)}
	} else {
		next.BinaryData = map[string][]byte{recordKey: data}
	}
	v, read := since.Version.(*version)
	var err error
	if read && v.record != nil {
		v.record.DeepCopyInto(&next.ObjectMeta)
		next.ManagedFields = nil // as the server has them
		err = s.client.update(ctx, configMaps, next, new(corev1.ConfigMap))
	} else {
		next.ObjectMeta = metav1.ObjectMeta{
			Name: recordName(s.cluster), Namespace: s.client.namespace, Labels: s.marks(), Annotations: s.notes(nil),
		}
		err = s.client.create(ctx, configMaps, next, new(corev1.ConfigMap))
	}
	switch {
	case err == nil:
		return nil
	case isConflict(err), isExists(err), read && v.record != nil && isNotFound(err):
		return driver.ErrConflict
	}
	return s.explain(ctx, "write the view record", err)
}

// Close implements [driver.RecordStore].
func (s *store) Close() error {
	s.client.close()
	return nil
}

// warn logs a warning about a matter, once for each text; nil says that all is well again.
func (s *store) warn(matter string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	known := s.said[matter] == text
	s.said[matter] = text
	s.mu.Unlock()
	if !known && err != nil {
		s.logger.Warn("k8s: "+matter, "error", err)
	}
}
