package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

func TestStartWithABadConfiguration(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	tests := []struct {
		name   string
		config *Config
		opts   []Option
		text   string
	}{
		{"port", Configure("127.0.0.1", -1), nil, "0 to 65535"},
		{"large port", Configure("127.0.0.1", 65536), nil, "0 to 65535"},
		{"host", Configure("no host", 0), nil, "neither a host name nor an IP address"},
		{"every interface", Configure("0.0.0.0", 0), nil, "WithAdvertisedHost"},
		{"every interface, IPv6", Configure("::", 0), nil, "WithAdvertisedHost"},
		{"no host", Configure("", 0), nil, "WithAdvertisedHost"},
		{"advertised", Configure("", 0, WithAdvertisedHost("no host:1")), nil, "give a host, or host:port"},
		{"advertised port", Configure("", 0, WithAdvertisedHost("host:x")), nil, "no port"},
		{"advertised interface", Configure("", 0, WithAdvertisedHost("0.0.0.0")), nil, "cannot be reached"},
		{"message size", Configure("127.0.0.1", 0, WithMaxMessageSize(0)), nil, "WithMaxMessageSize"},
		{"huge message size", Configure("127.0.0.1", 0, WithMaxMessageSize(1<<31-1)), nil, "WithMaxMessageSize"},
		{"queue", Configure("127.0.0.1", 0, WithQueueLimits(1, -1)), nil, "WithQueueLimits"},
		{"watches", Configure("127.0.0.1", 0, WithMaxWatches(0)), nil, "WithMaxWatches"},
		{"peers", Configure("127.0.0.1", 0, WithPeerLimits(1, 0)), nil, "WithPeerLimits"},
		{"dial timeout", Configure("127.0.0.1", 0, WithDialTimeout(0)), nil, "WithDialTimeout"},
		{"pause", Configure("127.0.0.1", 0, WithBackoff(0, 1)), nil, "WithBackoff"},
		{"pauses", Configure("127.0.0.1", 0, WithBackoff(2, 1)), nil, "longer than the longest"},
		{"keep-alive", Configure("127.0.0.1", 0, WithKeepAlive(-1, 1)), nil, "WithKeepAlive"},
		{"goodbye", Configure("127.0.0.1", 0, WithGoodbyeTimeout(-1)), nil, "WithGoodbyeTimeout"},
		{"idleness", Configure("127.0.0.1", 0, WithIdleTimeout(-1)), nil, "WithIdleTimeout"},
		{"listener", Configure("127.0.0.1", 0, WithListener(nil)), nil, "WithListener"},
		{"cluster", Configure("127.0.0.1", 0), []Option{WithHandshake(Handshake{Cluster: long})}, "at most 1024 bytes"},
		{"member", Configure("127.0.0.1", 0), []Option{WithHandshake(Handshake{Member: long})}, "at most 1024 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := newProcess(t, test.config, test.opts...).remote.Start()
			if !errors.Is(err, ErrBadConfig) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %v: %s", err, ErrBadConfig, test.text)
			}
		})
	}
}

func TestStartOnAPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newProcess(t, Configure("127.0.0.1", l.Addr().(*net.TCPAddr).Port))
	if err := p.remote.Start(); !errors.Is(err, ErrPortInUse) {
		t.Fatalf("got %v, want %v", err, ErrPortInUse)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.remote.Start(); err != nil {
		t.Errorf("once the port is free: %v", err)
	}
}

func TestStartOnAForeignHost(t *testing.T) {
	err := newProcess(t, Configure("192.0.2.1", 0)).remote.Start()
	if err == nil || !strings.Contains(err.Error(), "cannot listen on 192.0.2.1:0") {
		t.Errorf("got %v", err)
	}
}

func TestStartTwice(t *testing.T) {
	p := startProcess(t, Configure("127.0.0.1", 0))
	if err := p.remote.Start(); !errors.Is(err, ErrStarted) {
		t.Errorf("the second time: %v", err)
	}
	other := NewRemote(p.system, Configure("127.0.0.1", 0))
	if err := other.Start(); !errors.Is(err, ErrBadConfig) {
		t.Errorf("a second remote of one system: %v", err)
	}
}

func TestAdvertisedAddress(t *testing.T) {
	tests := []struct {
		host, advertised, want string // PORT stands for the one listened on
	}{
		{"127.0.0.1", "", "127.0.0.1:PORT"},
		{"localhost", "", "localhost:PORT"},
		{"", "example.org", "example.org:PORT"},
		{"0.0.0.0", "example.org:0", "example.org:PORT"},
		{"127.0.0.1", "example.org:77", "example.org:77"},
		{"127.0.0.1", "2001:db8::1", "[2001:db8::1]:PORT"},
		{"127.0.0.1", "[2001:db8::1]:77", "[2001:db8::1]:77"},
	}
	for _, test := range tests {
		var port string
		p := startProcess(t, Configure(test.host, 0, WithAdvertisedHost(test.advertised)))
		for _, line := range p.logs.lines {
			if _, on, ok := strings.Cut(line, " on="); ok {
				_, port, _ = net.SplitHostPort(on)
			}
		}
		want := strings.ReplaceAll(test.want, "PORT", port)
		if got := p.remote.Address(); got != want || p.system.Address() != want {
			t.Errorf("%q, %q: got %s, the system %s, want %s", test.host, test.advertised, got, p.system.Address(), want)
		}
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here")
	}
	l.Close()
	a, b := startProcess(t, Configure("::1", 0)), startProcess(t, Configure("::1", 0))
	a.mustAsk(b.echo("echo"), "there")
}

func TestShutdownBeforeStart(t *testing.T) {
	p := newProcess(t, Configure("127.0.0.1", 0))
	for range 2 {
		if err := p.remote.Shutdown(true); err != nil {
			t.Error(err)
		}
	}
	if err := p.remote.Start(); !errors.Is(err, ErrShutDown) {
		t.Errorf("starting after a shutdown: %v", err)
	}
}

func TestShutdownTwiceAndAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		a.mustAsk(b.echo("echo"), "connects")
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				if err := a.remote.Shutdown(i%2 == 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		a.wantDeadLetterNow(b.at("echo"), ErrShutDown.Error())
		a.wantDeadLetterNow(actor.NewPID("never:1", "x"), ErrShutDown.Error())
	})
}

// wantDeadLetterNow sends without waiting for an answer.
func (p *process) wantDeadLetterNow(pid *actor.PID, reason string) {
	p.t.Helper()
	before := len(p.dead.list())
	p.system.Root.Send(pid, text("x"))
	if all := p.dead.list(); len(all) != before+1 || all[before].Reason != reason {
		p.t.Errorf("dead letters: %v, want one more: %s", all, reason)
	}
}

func TestShutdownDeliversWhatWasSent(t *testing.T) {
	for i := range 4 {
		connected := i%2 == 0
		messages := []int{5, 5000}[i/2] // few are not acknowledged before the goodbye, and need not be
		t.Run(fmt.Sprint(messages, connected), func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
				pid, in := b.sink("sink")
				if connected {
					a.mustAsk(b.echo("echo"), "connects")
				}
				for i := range messages {
					a.system.Root.Send(pid, text("%d", i))
				}
				if err := a.remote.Shutdown(true); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if got := len(in.list()); got != messages || len(a.dead.list()) > 0 {
					t.Errorf("%d of %d arrived, %d dead letters", got, messages, len(a.dead.list()))
				}
				if connected && !b.logs.has(errGoodbye.Error()) {
					t.Error("there was no goodbye")
				}
			})
		})
	}
}

func TestShutdownOfBothAtOnce(t *testing.T) {
	for range 20 {
		inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
			const messages = 500
			pidA, inA := a.sink("sink")
			pidB, inB := b.sink("sink")
			a.mustAsk(b.echo("echo"), "connects")
			for i := range messages {
				a.system.Root.Send(pidB, text("%d", i))
				b.system.Root.Send(pidA, text("%d", i))
			}
			var both sync.WaitGroup
			for _, p := range []*process{a, b} {
				both.Go(func() {
					if err := p.remote.Shutdown(true); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
			synctest.Wait()
			if gotA, gotB := len(inA.list()), len(inB.list()); gotA != messages || gotB != messages {
				t.Errorf("%d and %d of %d arrived", gotA, gotB, messages)
			}
		})
	}
}

func TestShutdownOverLoopback(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		const messages = 5000
		a, b := startProcess(t, Configure("127.0.0.1", 0)), startProcess(t, Configure("127.0.0.1", 0))
		pid, in := b.sink("sink")
		a.mustAsk(b.echo("echo"), "connects")
		for i := range messages {
			a.system.Root.Send(pid, text("%d", i))
		}
		start := time.Now()
		if err := a.remote.Shutdown(true); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took >= DefaultGoodbyeTimeout {
			t.Errorf("it took %v", took)
		}
		in.wait(t, messages)
		b.stop()
		a.stop()
	}
	wantGoroutines(t, before)
}

// wantGoroutines waits until no more than n are left: those that gRPC stops
// without waiting take a moment.
func wantGoroutines(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > n; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), n, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// The peer that stays knows at once that the other is leaving.
func TestPeerOfOneThatLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *memNetwork, a, b *process) {
		pid := b.echo("echo")
		_, told := a.watcher("watcher", pid)
		a.mustAsk(pid, "connects")
		mute := b.spawn("mute", func(actor.Context) {})
		future := a.system.Root.RequestFuture(mute, text("x"), time.Hour)
		synctest.Wait()
		if err := b.remote.Shutdown(true); err != nil {
			t.Error(err)
		}
		if _, err := future.Result(); !errors.Is(err, ErrConnectionLost) {
			t.Errorf("what was written: %v", err)
		}
		wantTerminated(t, told, pid, actor.TerminatedReasonAddressTerminated)
		a.wantDeadLetter(pid, text("x"), "b:1")
	})
}

// Who leaves goes on answering until its peer has said goodbye.
func TestPeerThatHasAnotherQuestion(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, _, b *process) {
		b.echo("echo")
		p := n.rawPeer(t, "b:1")
		p.connect("b:1")
		left := make(chan error, 1)
		go func() { left <- b.remote.Shutdown(true) }()
		if f, err := p.stream.Recv(); err != nil || f.GetLeaving() == nil {
			t.Fatalf("instead of Leaving: %v, %v", f, err)
		}
		p.batch(echoBatch(text("one more thing")))
		p.wantEcho("one more thing")
		p.send(&remotepb.Frame{Kind: &remotepb.Frame_Goodbye{Goodbye: &remotepb.Goodbye{}}})
		if f, err := p.stream.Recv(); err != nil || f.GetGoodbye() == nil {
			t.Fatalf("instead of Goodbye: %v, %v", f, err)
		}
		if err := p.end(); !errors.Is(err, io.EOF) {
			t.Errorf("after both goodbyes: %v", err)
		}
		if err := <-left; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownWithAPeerThatTakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
		pid := b.echo("echo")
		a.mustAsk(pid, "connects")
		n.silence("")
		a.system.Root.Send(pid, text("x"))
		start := time.Now()
		if err := a.remote.Shutdown(true); !errors.Is(err, ErrGoodbyeTimeout) {
			t.Errorf("got %v, want %v", err, ErrGoodbyeTimeout)
		}
		if took := time.Since(start); took != DefaultGoodbyeTimeout {
			t.Errorf("it took %v", took)
		}
		b.remote.Disconnect("a:1")
	})
}

func TestShutdownWhileDialing(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		t.Run(fmt.Sprint(graceful), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *memNetwork, a, b *process) {
				n.hole("b:1", true)
				future := a.system.Root.RequestFuture(b.echo("echo"), text("x"), time.Hour)
				start := time.Now()
				_ = a.remote.Shutdown(graceful)
				if took := time.Since(start); took > DefaultGoodbyeTimeout || !graceful && took > 0 {
					t.Errorf("it took %v", took)
				}
				if _, err := future.Result(); !errors.Is(err, actor.ErrDeadLetter) {
					t.Errorf("what waited: %v", err)
				}
			})
		})
	}
}

func TestClustersDoNotMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a := startProcess(t, n.on("a", 1), WithHandshake(Handshake{Cluster: "red"}))
		b := startProcess(t, n.on("b", 1), WithHandshake(Handshake{Cluster: "blue", Member: "m"}))
		c := startProcess(t, n.on("c", 1), WithHandshake(Handshake{Cluster: "red", Member: "m"}))
		a.wantDeadLetter(b.echo("echo"), text("x"), `refused: this process is of the cluster "blue", not of "red"`)
		a.mustAsk(c.echo("echo"), "there")
	})
}

func TestServiceBesides(t *testing.T) {
	register := func(s grpc.ServiceRegistrar) { healthpb.RegisterHealthServer(s, health.NewServer()) }
	p := startProcess(t, Configure("127.0.0.1", 0), WithService(register))
	client, err := grpc.NewClient(p.remote.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := healthpb.NewHealthClient(client).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
}

// An option of the program wins over the remote's own.
func TestServerOptions(t *testing.T) {
	var methods []string
	count := func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		methods = append(methods, info.FullMethod)
		return handle(ctx, request)
	}
	register := func(s grpc.ServiceRegistrar) { healthpb.RegisterHealthServer(s, health.NewServer()) }
	p := startProcess(t, Configure("127.0.0.1", 0, WithServerOptions(grpc.ChainUnaryInterceptor(count), grpc.MaxRecvMsgSize(8))), WithService(register))
	client, err := grpc.NewClient(p.remote.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask := healthpb.NewHealthClient(client)
	if _, err := ask.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || len(methods) != 1 || methods[0] != healthpb.Health_Check_FullMethodName {
		t.Errorf("%v; calls that passed by the interceptor: %q", err, methods)
	}
	if _, err := ask.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "of a long name"}); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request beyond the option's limit: %v", err)
	}
}

// farConn pretends to come from another machine.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 5} }

type farListener struct{ net.Listener }

func (l farListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return farConn{c}, err
}

func TestWarnsOnceThatAnybodyCanListen(t *testing.T) {
	const warning = "not encrypted"
	a, b := startProcess(t, Configure("127.0.0.1", 0)), startProcess(t, Configure("127.0.0.1", 0))
	a.mustAsk(b.echo("echo"), "on loopback")
	if a.logs.has(warning) || b.logs.has(warning) {
		t.Error("warns on loopback")
	}
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		far := startProcess(t, Configure("far", 1, WithDialer(n.dial), WithListener(
			func(ctx context.Context, address string) (net.Listener, error) {
				l, err := n.listen(ctx, address)
				return farListener{l}, err
			})))
		far.echo("echo")
		for i := range 3 {
			startProcess(t, n.on("a", i+1)).mustAsk(far.at("echo"), "there")
		}
		synctest.Wait()
		if got := far.logs.count(warning); got != 1 {
			t.Errorf("warned %d times, want once", got)
		}
	})
}

// After both goodbyes the peer has to acknowledge what was written, or it is not known to have arrived.
func TestShutdownThatIsNotAcknowledged(t *testing.T) {
	for _, acknowledges := range []bool{true, false} {
		t.Run(fmt.Sprint(acknowledges), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *memNetwork, _, b *process) {
				p := rawReceiver(t, n, goodHello("b:1"))
				b.system.Root.Send(actor.NewPID("raw:1", "x"), text("one"))
				synctest.Wait()
				done := make(chan error)
				go func() { done <- b.remote.Shutdown(true) }()
				synctest.Wait()
				p.send(&remotepb.Frame{Kind: &remotepb.Frame_Goodbye{Goodbye: &remotepb.Goodbye{}}})
				synctest.Wait()
				if acknowledges {
					p.acknowledge(1)
				}
				err := <-done
				if dead := len(b.dead.list()); (err == nil) != acknowledges || (dead == 0) != acknowledges {
					t.Errorf("%v, %d dead letters", err, dead)
				}
			})
		})
	}
}
