package remote

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/wire/actorpb"
)

func echoKind(name string, opts ...actor.PropsOption) *Kind {
	return NewKind(name, actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}, opts...))
}

func TestRemoteSpawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		failing := NewKind("failing", actor.PropsFromProducer(func() actor.Actor { panic("no actor today") }))
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 1, WithKinds(echoKind("echo"), failing)))
		at := b.remote.Address()
		pid, err := a.remote.SpawnNamed(at, "worker", "echo", time.Minute)
		if err != nil || pid.Id != "worker" || pid.Address != at {
			t.Fatal(pid, err)
		}
		a.mustAsk(pid, "spawned")
		again, err := a.remote.SpawnNamed(at, "worker", "echo", time.Minute)
		if !errors.Is(err, actor.ErrNameExists) || !again.Equal(pid) {
			t.Error(again, err)
		}
		first, err := a.remote.Spawn(at, "echo", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		second, err := a.remote.Spawn(at, "echo", time.Minute)
		if err != nil || first.Equal(second) {
			t.Error(first, second, err)
		}
		a.mustAsk(second, "spawned")
		if _, err := a.remote.Spawn(at, "nothing", time.Minute); !errors.Is(err, ErrUnknownKind) {
			t.Error(err)
		}
		if _, err := a.remote.Spawn(at, "failing", time.Minute); !errors.Is(err, ErrSpawnFailed) || !strings.Contains(err.Error(), "no actor today") {
			t.Error(err)
		}
		// The actor is watched and stopped like any other.
		ended := make(chan *actor.Terminated, 1)
		watcher := a.spawn("watcher", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				ctx.Watch(pid)
			case *actor.Terminated:
				ended <- m
			}
		})
		_ = watcher
		synctest.Wait()
		a.system.Root.Stop(pid)
		if end := <-ended; end.Why != actor.TerminatedReasonStopped {
			t.Error(end.Why)
		}
	})
}

// A producer that takes its time holds up its own kind alone.
func TestRemoteSpawnThatTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		release := make(chan struct{})
		slow := NewKind("slow", actor.PropsFromProducer(func() actor.Actor {
			<-release
			return actor.ReceiveFunc(func(actor.Context) {})
		}))
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 1, WithKinds(slow, echoKind("echo"))))
		done := make(chan error, 1)
		go func() {
			_, err := a.remote.Spawn(b.remote.Address(), "slow", 0)
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		if _, err := a.remote.Spawn(b.remote.Address(), "echo", time.Minute); err != nil || time.Since(start) != 0 {
			t.Error(err, time.Since(start))
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// Nothing can be spawned where nothing was registered, nor by names that are none.
func TestRemoteSpawnThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 1))
		c := startProcess(t, n.on("c", 1, WithKinds(echoKind("echo"))))
		if _, err := a.remote.Spawn(b.remote.Address(), "echo", time.Minute); !errors.Is(err, ErrUnknownKind) {
			t.Error(err)
		}
		for _, name := range []string{"", "a/b", "a$b", "granary.owner", "\xff", strings.Repeat("x", maxActorName+1)} {
			if _, err := a.remote.SpawnNamed(c.remote.Address(), name, "echo", time.Minute); !errors.Is(err, ErrInvalidName) {
				t.Errorf("%q: %v", name, err)
			}
			// Also if the other side does not check.
			if name == "" || name == "\xff" {
				continue
			}
			if _, err := a.remote.spawn(c.remote.Address(), name, "echo", time.Minute); !errors.Is(err, ErrInvalidName) {
				t.Errorf("%q, unchecked: %v", name, err)
			}
		}
		if _, err := a.remote.Spawn("nobody:1", "echo", time.Minute); !errors.Is(err, actor.ErrDeadLetter) {
			t.Error(err)
		}
	})
}

func TestKindsThatCannotBe(t *testing.T) {
	for name, kinds := range map[string][]*Kind{
		"nil": {nil}, "no name": {echoKind("")}, "no props": {NewKind("x", nil)},
		"invalid props": {echoKind("x", actor.WithStashCapacity(-1))}, "twice": {echoKind("x"), echoKind("x")},
	} {
		if err := newProcess(t, Configure("127.0.0.1", 0, WithKinds(kinds...))).remote.Start(); !errors.Is(err, ErrBadConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPIDsInMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		early := actor.NewActorSystem()
		defer early.Shutdown()
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 1))
		// b asks whomever a names.
		asks := b.spawn("asks", func(ctx actor.Context) {
			if m, ok := ctx.Message().(*actorpb.PID); ok {
				ctx.RequestWithCustomSender(FromProto(m), text("hello"), ctx.Sender())
			}
		})
		a.echo("echo")
		for _, pid := range []*actor.PID{a.at("echo"), actor.NewPID("nonhost", "echo")} {
			got, err := a.request(asks, ToProto(a.system, pid))
			if m, ok := got.(*wrapperspb.StringValue); err != nil || !ok || m.Value != "hello" {
				t.Error(pid, got, err)
			}
		}
		if ToProto(a.system, nil) != nil || FromProto(nil) != nil {
			t.Error("something was made of nothing")
		}
		if other := ToProto(a.system, b.at("x")); other.Address != b.remote.Address() || other.Id != "x" {
			t.Error(other)
		}
		if local := ToProto(early, actor.NewPID("", "x")); local.Address != "nonhost" {
			t.Error(local)
		}
	})
}

func TestPeers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a := startProcess(t, n.on("a", 1))
		b := startProcess(t, n.on("b", 1), WithHandshake(Handshake{Member: "m1"}))
		if got := a.remote.Peers(); len(got) != 0 {
			t.Error(got)
		}
		a.mustAsk(b.echo("echo"), "x")
		a.wantDeadLetter(actor.NewPID("nobody:1", "x"), text("x"), "cannot reach")
		synctest.Wait()
		sent, received := a.remote.Stats(), b.remote.Stats()
		if sent.SentBytes == 0 || sent.SentBytes != received.ReceivedBytes || sent.SentBytes != a.peerOf("b:1").SentBytes ||
			sent.ReceivedBytes == 0 || sent.ReceivedBytes != a.peerOf("b:1").ReceivedBytes {
			t.Errorf("counted %+v here, %+v there, %+v of the peer", sent, received, a.peerOf("b:1"))
		}
		got := a.remote.Peers()
		if len(got) != 2 {
			t.Fatal(got)
		}
		up, down := got[0], got[1]
		if up.Address != b.remote.Address() || up.Member != "m1" || up.State != "up" || up.Sent != 1 || up.Received != 1 ||
			!up.Since.Equal(time.Now()) || up.QueuedMessages != 0 || up.QueuedBytes != 0 || up.Refusal != "" {
			t.Errorf("%+v", up)
		}
		if down.Address != "nobody:1" || down.State != "down" || down.Failures != 1 || !strings.Contains(down.Refusal, "cannot reach") || !down.Since.IsZero() {
			t.Errorf("%+v", down)
		}
	})
}
