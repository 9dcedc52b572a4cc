package etcd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/granary-go/granary/cluster/etcd/etcdtest"
	"github.com/granary-go/granary/internal/membertest"
)

// An etcd whose data are replaced by an older copy while members run has forgotten views that they have seen, and
// members. Nobody goes on with the old record: all are out, and are together again under new ids. Epochs go on from those
// that they have seen.
func TestOlderDataRestored(t *testing.T) {
	t.Parallel()
	etcdtest.Each(t, func(t *testing.T, v etcdtest.Version) {
		server, backup := v.Start(t), filepath.Join(t.TempDir(), "backup")
		members := []*membertest.Process{start(t, server, 1)}
		members[0].Holds(t, members...)
		server.Stop()
		copyFolder(t, backup, server.Data())
		server.Restart(t)
		members = append(members, start(t, server, 2), start(t, server, 3))
		membertest.Together(t, members...)
		before := members[0].Seen
		for _, m := range members {
			m.Removals = 0
		}
		server.Stop()
		if err := os.RemoveAll(server.Data()); err != nil {
			t.Fatal(err)
		}
		copyFolder(t, server.Data(), backup)
		server.Restart(t)
		membertest.Again(t, members...)
		after := members[0].Seen
		if after.Epoch <= before.Epoch {
			t.Errorf("epoch %d comes after %d", after.Epoch, before.Epoch)
		}
		t.Logf("epoch %d of %s before, %d of %s after", before.Epoch, before.Incarnation, after.Epoch, after.Incarnation)
	})
}

func copyFolder(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}
