package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote"
)

const (
	phaseWord = "phase " // before what one phase of a flood has measured

	phaseTime = 5 * time.Second
	// keepUpTries is how often the first phase is done at most, if the peer does not keep up: the machine has other work, too.
	keepUpTries = 5

	floodEvery = 5 * time.Millisecond // so often so many messages of so many bytes: 20 MiB a second
	floodOf    = 100
	floodBytes = 1 << 10
	floodQueue = 16 << 20 // what may wait for the peer: less than is sent in a phase, also by a machine with much to do
)

// phase is what a process measures that floods one peer and asks another.
type phase struct {
	P99     time.Duration `json:"p99"` // of the answers
	Asked   int           `json:"asked"`
	Failed  int           `json:"failed"`  // questions without an answer
	Refused uint64        `json:"refused"` // messages of the flood that were dead letters at once
	Heap    uint64        `json:"heap"`    // in use at the end of the phase, bytes
}

// flood sends to one peer at a steady pace and asks another meanwhile, in three phases: the test says when the next begins.
func (l *load) flood(ctx context.Context) {
	next := make(chan os.Signal, 1)
	signal.Notify(next, syscall.SIGUSR1)
	defer signal.Stop(next)
	for i := range 3 {
		if i > 0 {
			select {
			case <-next:
			case <-ctx.Done():
				return
			}
		}
		p := l.floodOnce(ctx, i == 2)
		for try := 1; i == 0 && p.Refused > 0 && try < keepUpTries; try++ {
			l.awaitArrival(ctx)
			failed := p.Failed
			p = l.floodOnce(ctx, false)
			p.Failed += failed
		}
		text, err := json.Marshal(p)
		if err != nil {
			panic(err)
		}
		fmt.Println(phaseWord + string(text))
	}
}

// floodOnce is one phase. At the end of the last one it waits until everything has arrived.
func (l *load) floodOnce(whole context.Context, last bool) (p phase) {
	ctx, cancel := context.WithTimeout(whole, phaseTime)
	defer cancel()
	before := l.refused.Load()
	var flooding sync.WaitGroup
	flooding.Go(func() {
		tick := time.NewTicker(floodEvery)
		defer tick.Stop()
		pid := actor.NewPID(l.role.Flood, "target0")
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			for range floodOf {
				l.system.Root.Send(pid, wrapperspb.String(strings.Repeat("x", floodBytes)))
			}
		}
	})
	var times []time.Duration
	pid := actor.NewPID(l.role.Peer, "target0")
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := actor.Ask[*emptypb.Empty](context.Background(), l.system.Root, pid, &emptypb.Empty{}); err != nil {
			p.Failed++
			continue
		}
		times = append(times, time.Since(began))
	}
	flooding.Wait()
	slices.Sort(times)
	p.Asked, p.Refused = len(times), l.refused.Load()-before
	if len(times) > 0 {
		p.P99 = times[len(times)*99/100]
	}
	if last {
		l.awaitArrival(whole)
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.Heap = m.HeapAlloc
	return p
}

// awaitArrival waits until nothing waits for a peer and each has acknowledged what it got.
func (l *load) awaitArrival(ctx context.Context) {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	underway := func(p remote.PeerInfo) bool { return p.QueuedMessages+p.UnacknowledgedMessages > 0 }
	for slices.ContainsFunc(l.remote.Peers(), underway) {
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}
