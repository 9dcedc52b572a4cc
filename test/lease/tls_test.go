package lease

import (
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote"
)

// TestTLSRotation changes the authority of a cluster of three processes, and all its certificates, while it is called and
// each process is replaced: no call fails. Who has no certificate, or the old one when it counts no more, gets nowhere.
func TestTLSRotation(t *testing.T) {
	dir := t.TempDir()
	files := certtest.FilesIn(dir)
	old, next := certtest.NewAuthority(t), certtest.NewAuthority(t)
	files.Write(t, old.Issue("127.0.0.1"), old)
	c := newCrewOf(t, 3, role{TLS: dir})
	stranger(t, c, role{})
	steps := []func(){
		func() { files.Write(t, old.Issue("127.0.0.1"), old, next) },
		func() { files.Write(t, next.Issue("127.0.0.1"), old, next) },
		func() { files.Write(t, next.Issue("127.0.0.1"), next) },
	}
	roll(t, c, func(i int) {
		steps[i]()
		<-time.After(2 * remote.TLSFilesCheck) // as whoever does this for real: every process is to look at them
	})
	late := t.TempDir()
	certtest.FilesIn(late).Write(t, old.Issue("127.0.0.1"), old, next)
	stranger(t, c, role{TLS: late})
}

// stranger tries to call a grain of the cluster, which must not go well.
func stranger(t *testing.T, c *crew, r role) {
	t.Helper()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(c.notes.Writer("stranger"), nil))))
	defer system.Shutdown()
	cl := cluster.New(system, cluster.Configure(clusterName, automanaged.NewWithConfig(refresh, 0, c.role.Hosts...), r.remote()))
	if err := cl.StartClientContext(t.Context()); err != nil {
		t.Log("the stranger was told: ", err)
		return
	}
	defer func() {
		if err := cl.Shutdown(true); err != nil {
			t.Error(err)
		}
	}()
	reply, err := cl.Call("a", leasedKind, wrapperspb.Int64(1), cluster.WithTimeout(3*time.Second))
	if err == nil {
		t.Errorf("a stranger has called a grain: %v", reply)
	}
	t.Log("the stranger was told: ", err)
}
