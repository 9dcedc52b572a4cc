package wire

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
)

const (
	roleVariable = "GRANARY_WIRE_ROLE"
	// What a process prints.
	sharesWord = "share"   // when it has sent another of its shares
	doneWord   = "done"    // when it has sent everything
	totalsWord = "totals " // at its end, before what it has counted

	shares  = 100 // a process says that it has sent another of so many parts
	senders = 4
	targets = 3
	pairs   = senders * targets
	// A sender asks each target after so many messages whether it is there, and waits until it is.
	between = 1000
	// Every so many messages is a large one, which crosses in pieces.
	largeEvery = 20_000
	largeBytes = 700_000
)

// A role is what a process is told.
type role struct {
	Address  string `json:"address"`         // where the other reaches it
	Peer     string `json:"peer,omitempty"`  // where it reaches the other
	Messages int    `json:"messages"`        // that each sender sends to each target
	Flood    string `json:"flood,omitempty"` // a peer to flood, while Peer is asked; empty for none
}

func TestMain(m *testing.M) { fleet.Main(m, roleVariable, play) }

// An account is of the messages from one sender to one target.
type account struct {
	Count      uint64 `json:"count"`
	Sum        uint64 `json:"sum"`        // of a number made of each message's number
	Disordered uint64 `json:"disordered"` // that came after one with a higher number, or twice
	last       int64
}

// mix makes of a number one whose sums differ if the numbers do.
func mix(n int64) uint64 {
	x := uint64(n) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (a *account) add(n int64) {
	a.Count++
	a.Sum += mix(n)
}

// totals are what a process has counted.
type totals struct {
	Arrived [pairs]account `json:"arrived"`
	Dead    [pairs]account `json:"dead"`
}

// load is what a process does.
type load struct {
	role   role
	system *actor.ActorSystem
	remote *remote.Remote
	sent   atomic.Int64

	refused atomic.Uint64 // messages of a flood

	mu     sync.Mutex // guards totals
	totals totals
}

func play(r role) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	l := &load{role: r, system: system}
	for i := range l.totals.Arrived {
		l.totals.Arrived[i].last = -1
	}
	actor.SubscribeTo(system.EventStream, l.dead)
	rem := remote.NewRemote(system, remote.Configure("127.0.0.1", 0,
		remote.WithListener(fleet.Inherited()), remote.WithAdvertisedHost(r.Address), queueOf(r)))
	if err := rem.Start(); err != nil {
		return err
	}
	l.remote = rem
	for i := range targets {
		if _, err := system.Root.SpawnNamed(actor.PropsFromFunc(l.receive), fmt.Sprint("target", i)); err != nil {
			return err
		}
	}
	var sending sync.WaitGroup
	switch {
	case r.Flood != "":
		l.flood(ctx)
	case r.Messages > 0:
		for i := range senders {
			sending.Go(func() { l.send(ctx, i) })
		}
	}
	sending.Wait()
	fmt.Println(doneWord)
	<-ctx.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := json.Marshal(&l.totals)
	fmt.Println(totalsWord + string(text))
	if err != nil {
		return err
	}
	return rem.Shutdown(false)
}

// queueOf is what may wait for a peer.
func queueOf(r role) remote.ConfigOption {
	if r.Flood != "" {
		return remote.WithQueueLimits(remote.DefaultQueueMessages, floodQueue)
	}
	return remote.WithQueueLimits(remote.DefaultQueueMessages, remote.DefaultQueueBytes)
}

// send sends numbered messages from one sender to all targets, in turn.
func (l *load) send(ctx context.Context, sender int) {
	self, err := l.system.Root.SpawnNamed(actor.PropsFromFunc(func(actor.Context) {}), fmt.Sprint("sender", sender))
	if err != nil {
		panic(err)
	}
	for n := range l.role.Messages {
		for target := range targets {
			pid := actor.NewPID(l.role.Peer, fmt.Sprint("target", target))
			l.system.Root.RequestWithCustomSender(pid, message(sender*targets+target, n), self)
			if sent := l.sent.Add(1); sent%int64(l.role.Messages*pairs/shares) == 0 {
				fmt.Println(sharesWord)
			}
			if n%between == between-1 {
				l.meet(ctx, pid)
			}
		}
	}
	for target := range targets {
		l.meet(ctx, actor.NewPID(l.role.Peer, fmt.Sprint("target", target)))
	}
}

// meet waits for an answer of a target. It bounds what is under way; while the peer is away it waits.
func (l *load) meet(ctx context.Context, pid *actor.PID) {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := actor.Ask[*emptypb.Empty](asking, l.system.Root, pid, &emptypb.Empty{})
		cancel()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// message is the n-th of a pair.
func message(pair, n int) *wrapperspb.BytesValue {
	size := 16
	if n%largeEvery == largeEvery-1 {
		size = largeBytes
	}
	data := make([]byte, size)
	binary.BigEndian.PutUint64(data, uint64(pair))
	binary.BigEndian.PutUint64(data[8:], uint64(n))
	return wrapperspb.Bytes(data)
}

func numbers(m *wrapperspb.BytesValue) (pair, n int64) {
	return int64(binary.BigEndian.Uint64(m.Value)), int64(binary.BigEndian.Uint64(m.Value[8:]))
}

func (l *load) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *emptypb.Empty:
		ctx.Respond(m)
	case *wrapperspb.BytesValue:
		pair, n := numbers(m)
		l.mu.Lock()
		defer l.mu.Unlock()
		a := &l.totals.Arrived[pair]
		a.add(n)
		if n <= a.last {
			a.Disordered++
		}
		a.last = max(a.last, n)
	}
}

func (l *load) dead(e *actor.DeadLetterEvent) {
	m, ok := e.Message.(*wrapperspb.BytesValue)
	if !ok {
		if _, ok := e.Message.(*wrapperspb.StringValue); ok {
			l.refused.Add(1)
		}
		return // a question of meet
	}
	pair, n := numbers(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.totals.Dead[pair].add(n)
}
