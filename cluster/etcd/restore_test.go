package etcd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
)

// An etcd whose data are replaced by an older copy while members run has forgotten views that they have seen, and
// members. Nobody goes on with the old record: all are out, and are together again under new ids. What operators do so
// that epochs rise, too, the package's documentation says.
func TestOlderDataRestored(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server, backup := v.Start(t), filepath.Join(t.TempDir(), "backup")
		members := []*process{start(t, server, 1)}
		members[0].holds(t, members...)
		server.Stop()
		copyFolder(t, backup, server.Data())
		server.Restart(t)
		members = append(members, start(t, server, 2), start(t, server, 3))
		for _, m := range members {
			m.last = 0
			m.holds(t, members...)
		}
		before := members[0].seen
		for _, m := range members {
			m.removals = 0
		}
		server.Stop()
		if err := os.RemoveAll(server.Data()); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, server.Data(), backup)
		server.Restart(t)
		again(t, members)
		after := members[0].seen
		t.Logf("epoch %d of %s before, %d of %s after", before.Epoch, before.Incarnation, after.Epoch, after.Incarnation)
	})
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
