package remote

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What an attack of this file may leave behind: nothing but what the runtime keeps.
const (
	spareGoroutines  = 4
	spareDescriptors = 2
	spareHeap        = 8 << 20
)

// footprint is what the process holds.
type footprint struct {
	goroutines, descriptors int
	heap                    uint64
}

func measure() footprint {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := footprint{goroutines: runtime.NumGoroutine(), heap: m.HeapAlloc}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		f.descriptors = len(open)
	}
	return f
}

// grownAtMost checks the heap while an attack stands.
func (f footprint) grownAtMost(t *testing.T, bytes uint64) {
	t.Helper()
	if now := measure(); now.heap > f.heap+bytes {
		t.Errorf("the heap grew from %d KiB to %d KiB; want %d KiB more at most", f.heap>>10, now.heap>>10, bytes>>10)
	}
}

// returns waits until the process holds no more than before.
func (f footprint) returns(t *testing.T) {
	t.Helper()
	eventually(t, func() bool {
		now := measure()
		return now.goroutines <= f.goroutines+spareGoroutines && now.descriptors <= f.descriptors+spareDescriptors && now.heap <= f.heap+spareHeap
	}, func() { t.Errorf("before: %+v; after: %+v", f, measure()) })
}

// eventually waits for a condition over real sockets.
func eventually(t *testing.T, met func() bool, late func()) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !met() {
		select {
		case <-tick.C:
		case <-limit:
			late()
			return
		}
	}
}

// attacker opens connections from a host of its own.
type attacker struct {
	t      *testing.T
	target string
	dialer net.Dialer
	conns  []net.Conn
}

const hostOfAttacker = "127.0.0.9"

func newAttacker(t *testing.T, target *process) *attacker {
	a := &attacker{t: t, target: target.remote.Address(), dialer: net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(hostOfAttacker)}}}
	t.Cleanup(a.end)
	return a
}

// connects opens a connection, which is not closed by itself.
func (a *attacker) connects() net.Conn {
	a.t.Helper()
	c, err := a.dialer.DialContext(a.t.Context(), "tcp", a.target)
	if err != nil {
		a.t.Fatal(err)
	}
	a.conns = append(a.conns, c)
	return c
}

// client is a client of gRPC's with a connection of its own.
func (a *attacker) client() *grpc.ClientConn {
	a.t.Helper()
	c, err := grpc.NewClient("passthrough:///"+a.target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			return a.dialer.DialContext(ctx, "tcp", address)
		}))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (a *attacker) end() {
	for _, c := range a.conns {
		_ = c.Close()
	}
	a.conns = nil
}

// closedBy reports whether the other side closes a connection by then.
func closedBy(c net.Conn, limit time.Time) bool {
	_ = c.SetReadDeadline(limit)
	b := make([]byte, 512)
	for {
		if _, err := c.Read(b); err != nil {
			return !os.IsTimeout(err)
		}
	}
}

// echoService is a service of the application's at the port.
var echoService = grpc.ServiceDesc{
	ServiceName: "test.Echo", HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Say", Handler: func(_ any, ctx context.Context, read func(any) error, i grpc.UnaryServerInterceptor) (any, error) {
		m := &wrapperspb.StringValue{}
		if err := read(m); err != nil {
			return nil, err
		}
		return i(ctx, m, &grpc.UnaryServerInfo{FullMethod: "/test.Echo/Say"}, func(_ context.Context, m any) (any, error) { return m, nil })
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Repeat", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		m := &wrapperspb.StringValue{}
		if err := s.RecvMsg(m); err != nil {
			return err
		}
		<-s.Context().Done()
		return s.SendMsg(m)
	}}},
}

func withEcho() Option {
	return WithService(func(r grpc.ServiceRegistrar) { r.RegisterService(&echoService, new(any)) })
}

func say(t *testing.T, c *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return c.Invoke(ctx, "/test.Echo/Say", text("x"), &wrapperspb.StringValue{})
}

// Connections that say nothing are bounded, turn nobody else away, and are closed in time.
func TestConnectionFlood(t *testing.T) {
	const ofHost, flood = 32, 300
	b := startProcess(t, Configure(hostB, 0, WithStrangerLimits(64, ofHost), WithDialTimeout(2*time.Second)))
	a := startProcess(t, Configure(hostA, 0))
	a.mustAsk(b.echo("echo"), "before")
	before := measure()
	x := newAttacker(t, b)
	for range flood {
		x.connects()
	}
	eventually(t, func() bool { return b.remote.Stats().Refused >= flood-ofHost }, func() {
		t.Errorf("%d of %d connections were turned away", b.remote.Stats().Refused, flood)
	})
	if n := b.remote.door.Strangers(); n > ofHost {
		t.Errorf("%d connections of one host", n)
	}
	a.mustAsk(b.at("echo"), "who is connected goes on")
	c := startProcess(t, Configure(hostC, 0))
	c.mustAsk(b.at("echo"), "and who is not connects")
	before.grownAtMost(t, 16<<20)
	if !b.logs.has("turned away (WithStrangerLimits)") {
		t.Error("the log does not tell")
	}
	limit := time.Now().Add(10 * time.Second)
	for _, conn := range x.conns {
		if !closedBy(conn, limit) {
			t.Fatal("a connection that says nothing stays")
		}
	}
	x.end()
	c.stop()
	before.returns(t)
}

// Requests that do not come in hold up no others, however many there are.
func TestRequestsThatNeverCome(t *testing.T) {
	const incoming, conns, ofConn = 16, 8, 64
	b := startProcess(t, Configure(hostB, 0, WithRequestLimits(ofConn, incoming), WithRequestTimeouts(2*time.Second, time.Minute)), withEcho())
	a := startProcess(t, Configure(hostA, 0))
	a.mustAsk(b.echo("echo"), "before")
	before := measure()
	x := newAttacker(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for range conns {
		c := x.client()
		for i := range ofConn {
			method := []string{"/test.Echo/Say", "/test.Echo/Repeat"}[i%2]
			stream, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { _ = stream.RecvMsg(&wrapperspb.StringValue{}) }) // until it is cancelled
		}
	}
	if n := b.remote.hall.Waiting(); n > incoming {
		t.Errorf("%d requests may come in", n)
	}
	if err := say(t, newAttacker(t, b).client()); err != nil {
		t.Errorf("a request that comes: %v", err)
	}
	startProcess(t, Configure(hostC, 0)).mustAsk(b.at("echo"), "a peer that comes")
	a.mustAsk(b.at("echo"), "and one that is there")
	all.Wait() // those that were not cancelled at once took too long
	eventually(t, func() bool { return b.remote.hall.Waiting() == 0 }, func() { t.Error("requests wait that have ended") })
	before.grownAtMost(t, 32<<20)
}

// A peer introduces itself once over a connection.
func TestManyStreamsOfOnePeer(t *testing.T) {
	b := startProcess(t, Configure(hostB, 0))
	c := newAttacker(t, b).client()
	connect := func() grpc.ClientStream {
		s, err := c.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/granary.remote.v1.Remoting/Connect")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	connect()
	eventually(t, func() bool { return b.remote.hall.Waiting() == 1 }, func() { t.Error("the first does not wait") })
	for range 10 {
		err := connect().RecvMsg(&wrapperspb.StringValue{})
		wantStatus(t, err, 3, "introduces itself once")
	}
}

// Unknown methods are answered, and nothing is kept of them.
func TestFloodOfUnknownMethods(t *testing.T) {
	b := startProcess(t, Configure(hostB, 0))
	a := startProcess(t, Configure(hostA, 0))
	a.mustAsk(b.echo("echo"), "before")
	before := measure()
	clients := make([]*grpc.ClientConn, 8)
	var all sync.WaitGroup
	x := newAttacker(t, b)
	for i := range clients {
		clients[i] = x.client()
		for range 8 {
			all.Go(func() {
				for range 100 {
					if err := clients[i].Invoke(t.Context(), "/no.Such/Method", text("x"), text("")); err == nil {
						t.Error("it was answered well")
					}
				}
			})
		}
	}
	a.mustAsk(b.at("echo"), "meanwhile")
	all.Wait()
	before.grownAtMost(t, 32<<20)
	for _, c := range clients {
		_ = c.Close()
	}
	before.returns(t)
}
