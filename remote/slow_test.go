package remote

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// Types and flags of HTTP/2 frames.
const (
	http2Headers, http2Settings, http2Ping, http2Continuation = 1, 4, 6, 9

	http2Ack = 1

	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

func http2Frame(kind, flags byte, stream uint32, payload string) []byte {
	f := append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind)), flags)
	return append(binary.BigEndian.AppendUint32(f, stream), payload...)
}

// answersPings answers what it is sent as a peer that is alive does, and says nothing else. It
// returns when the connection has ended.
func answersPings(c net.Conn) {
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head)>>8)
		if _, err := io.ReadFull(c, payload); err != nil {
			return
		}
		if head[3] == http2Ping && head[4] != http2Ack {
			if _, err := c.Write(http2Frame(http2Ping, http2Ack, 0, string(payload))); err != nil {
				return
			}
		}
	}
}

// drips writes again and again until the connection has ended.
func drips(c net.Conn, every time.Duration, next func(i int) []byte) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		if _, err := c.Write(next(i)); err != nil {
			return
		}
		<-tick.C
	}
}

// Who says nothing, or a byte at a time, is turned away after a time that is known.
func TestSlowConnections(t *testing.T) {
	const step = 100 * time.Millisecond
	start := append([]byte(http2Preface), http2Frame(http2Settings, 0, 0, "")...)
	tests := map[string]struct {
		attack func(c net.Conn)
		within time.Duration
	}{
		"nothing": {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, DefaultDialTimeout},
		"the preface, a byte at a time": {func(c net.Conn) {
			drips(c, step, func(i int) []byte { return []byte{http2Preface[i%len(http2Preface)]} })
		}, DefaultDialTimeout + step},
		"no request": {func(c net.Conn) {
			go func() { _, _ = c.Write(start) }() // while the process says the same
			answersPings(c)
		}, DefaultQuietTimeout + 2*time.Second},
		"headers without an end": {func(c net.Conn) {
			headers := slices.Concat(start, http2Frame(http2Headers, 0, 1, "\x83")) // :method POST
			drips(c, step, func(i int) []byte {
				if i == 0 {
					return headers
				}
				return http2Frame(http2Continuation, 0, 1, "\x83")
			})
		}, DefaultKeepAliveInterval + DefaultKeepAliveTimeout + time.Second},
		"a frame, a byte at a time": {func(c net.Conn) {
			frame := http2Frame(http2Settings, 0, 0, strings.Repeat("\x00\x03\x00\x00\x00\x01", 2000))
			drips(c, step, func(i int) []byte {
				if i == 0 {
					return start
				}
				return frame[i-1 : i]
			})
		}, DefaultKeepAliveInterval + DefaultKeepAliveTimeout + time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			attacked(t, func(t *testing.T, n *memNetwork, b *process) {
				c, err := n.dial(t.Context(), "b:1")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				began := time.Now()
				test.attack(c)
				if took := time.Since(began); took > test.within || took < test.within-4*time.Second {
					t.Errorf("it took %v, not about %v", took, test.within)
				}
				if b.remote.door.Strangers() != 0 {
					t.Error("the connection is there")
				}
			})
		})
	}
}

// A TLS handshake that takes for ever is ended, and so is one that goes in single bytes.
func TestSlowHandshakes(t *testing.T) {
	ca := certtest.NewAuthority(t)
	b := startProcess(t, Configure(hostB, 0, WithTLS(papersOf(ca.Issue(hostB), ca).source), WithDialTimeout(time.Second)))
	x := newAttacker(t, b)
	begin := func(c net.Conn) {
		_ = tls.Client(recorded{c}, &tls.Config{ServerName: hostB, MinVersion: tls.VersionTLS13}).HandshakeContext(t.Context())
	}
	silent, half := x.connects(), x.connects()
	begin(half)
	began := time.Now()
	for _, c := range []net.Conn{silent, half} {
		if !closedBy(c, began.Add(10*time.Second)) {
			t.Error("it stays")
		}
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("it took %v; the time is a second", took)
	}
	a := startProcess(t, Configure(hostA, 0, WithTLS(papersOf(ca.Issue(hostA), ca).source)))
	a.mustAsk(b.echo("echo"), "in good health")
}

// recorded sends half of what is written first, and then fails.
type recorded struct{ net.Conn }

func (r recorded) Write(p []byte) (int, error) {
	n, _ := r.Conn.Write(p[:len(p)/2])
	return n, io.ErrShortWrite
}

// Close leaves the connection open.
func (recorded) Close() error { return nil }

// endless is a compression whose messages never end.
type endless struct{ read int }

var planted = &endless{}

func init() { encoding.RegisterCompressor(planted) }

func (*endless) Name() string                                 { return "bomb" }
func (*endless) Compress(w io.Writer) (io.WriteCloser, error) { return fuse{w}, nil }
func (b *endless) Decompress(io.Reader) (io.Reader, error)    { return b, nil }
func (b *endless) Read(p []byte) (int, error)                 { clear(p); b.read += len(p); return len(p), nil }

// fuse makes a byte of everything.
type fuse struct{ io.Writer }

func (f fuse) Write(p []byte) (int, error) { return len(p), nil }
func (f fuse) Close() error                { _, err := f.Writer.Write([]byte{1}); return err }

// A message that inflates without end is read up to the limit and no further.
func TestCompressedBomb(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		planted.read = 0
		p := n.rawPeer(t, "b:1", grpc.UseCompressor("bomb"))
		p.hello(goodHello("b:1"))
		p.wantEnd(codes.ResourceExhausted, "larger than max")
		if most := 2 * b.remote.config.maxFrame(); planted.read > most {
			t.Errorf("%d bytes were inflated; want %d at most", planted.read, most)
		}
	})
}

// Headers of a request beyond the limit cost the request.
func TestHugeHeaders(t *testing.T) {
	b := startProcess(t, Configure(hostB, 0), withEcho())
	a := startProcess(t, Configure(hostA, 0))
	a.mustAsk(b.echo("echo"), "before")
	c := newAttacker(t, b).client()
	if err := say(t, c); err != nil {
		t.Fatal(err)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 2*maxHeaderBytes))
	if err := c.Invoke(ctx, "/test.Echo/Say", text("x"), &wrapperspb.StringValue{}); err == nil {
		t.Error("headers of 128 KiB were taken")
	}
	if err := say(t, c); err != nil {
		t.Errorf("the next request: %v", err)
	}
	a.mustAsk(b.at("echo"), "after")
}

// Granary's own actors hear each process for itself, and only their own process ends them.
func TestOwnActorsHearEachForItself(t *testing.T) {
	attacked(t, func(t *testing.T, n *memNetwork, b *process) {
		heard := make(chan *actor.PID, 10)
		b.spawn("granary.test", func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *wrapperspb.StringValue:
				heard <- ctx.Sender()
			case *actor.Stopping:
				heard <- nil
			}
		})
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		to := func(from *remotepb.PID, c *remotepb.Control) {
			m := echoBatch(text("x"))
			m.Targets[0], m.Senders[0], m.Envelopes[0].Control = "granary.test", from, c
			p.batch(m)
		}
		to(&remotepb.PID{Address: "third:1", Id: "x"}, nil)
		own := &remotepb.PID{Address: "raw:1", Id: "x"}
		to(own, &remotepb.Control{Kind: &remotepb.Control_Stop{Stop: &remotepb.Stop{}}})
		to(own, &remotepb.Control{Kind: &remotepb.Control_PoisonPill{PoisonPill: &remotepb.PoisonPill{}}})
		// The answer to third:1, which nobody can reach, is a dead letter of its own.
		refused := b.dead.waitFor(t, 3, func(e *actor.DeadLetterEvent) bool { return e.PID.Id == "granary.test" })
		for i, want := range []string{"hears each process for itself", "ended by its own process", "ended by its own process"} {
			if got := refused[i].Reason; !strings.Contains(got, want) {
				t.Errorf("%d: %s; want %s", i, got, want)
			}
		}
		to(own, nil)
		if from := <-heard; from == nil || from.Address != "raw:1" {
			t.Errorf("heard of %v", from)
		}
		// Other actors are the application's: whoever may connect may speak for others there, as
		// those who forward do, and may stop them.
		b.spawn("victim", func(ctx actor.Context) {
			if _, ok := ctx.Message().(*wrapperspb.StringValue); ok {
				heard <- ctx.Sender()
			}
		})
		m := echoBatch(text("x"))
		m.Targets[0], m.Senders[0] = "victim", &remotepb.PID{Address: "third:1", Id: "x"}
		p.batch(m)
		if from := <-heard; from == nil || from.Address != "third:1" {
			t.Errorf("heard of %v", from)
		}
		p.batch(&remotepb.Batch{Targets: []string{"victim"}, Envelopes: []*remotepb.Envelope{{Control: &remotepb.Control{Kind: &remotepb.Control_Watch{
			Watch: &remotepb.Watch{Watcher: own}}}}, {Control: &remotepb.Control{Kind: &remotepb.Control_Stop{Stop: &remotepb.Stop{}}}}}})
		if got := p.received().Envelopes[0].Control.GetTerminated().GetWhy(); got != remotepb.Terminated_REASON_STOPPED {
			t.Errorf("the end of the application's actor: %v", got)
		}
	})
}

// What a batch promises costs nothing before it is there.
func TestBatchThatPromisesMore(t *testing.T) {
	for _, field := range []byte{fieldTargets, fieldSenders, fieldTypes, fieldEnvelopes} {
		data := []byte{field<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x'} // 4 GiB are to follow
		var b batch
		if allocated := testing.AllocsPerRun(100, func() { _ = b.read(data) }); allocated > 10 {
			t.Errorf("field %d: %v allocations", field, allocated)
		}
		if b.read(data) == nil {
			t.Errorf("field %d: taken", field)
		}
	}
}

// Spawned actors are bounded; those that end make room.
func TestSpawnFlood(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		var last *actor.PID
		for i := range 20 {
			pid, err := a.remote.Spawn("b:1", "kind", time.Second)
			switch {
			case i < 10 && err != nil:
				t.Fatal(err)
			case i < 10:
				last = pid
			case err == nil || !strings.Contains(err.Error(), "WithMaxSpawned"):
				t.Errorf("%d: %v", i, err)
			}
		}
		if err := b.system.Root.StopFuture(b.system.NewLocalPID(last.Id)).Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := a.remote.Spawn("b:1", "kind", time.Second); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	}, WithMaxSpawned(10), WithKinds(NewKind("kind", actor.PropsFromFunc(func(actor.Context) {}))))
}

// Options that gRPC takes once are an error of Start.
func TestServerOptionsThatAreTaken(t *testing.T) {
	unary := grpc.InTapHandle(nil)
	err := newProcess(t, Configure(hostA, 0, WithServerOptions(unary))).remote.Start()
	if err == nil || !strings.Contains(err.Error(), "WithServerOptions") {
		t.Error(err)
	}
}
