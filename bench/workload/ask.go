package workload

import (
	"errors"
	"sync"
	"time"
)

func echo(c Context, m any) { c.Reply(m) }

func call(p Peer, to Ref, m any) error {
	got, err := p.Ask(to, m)
	if err != nil {
		return err
	}
	if got != m {
		return errors.New("the answer is not what was asked")
	}
	return nil
}

func ask(p Peer, n int) (Result, error) {
	to, m := p.Spawn(echo), &message{}
	took := make([]time.Duration, n)
	r, err := Measure("ask", n, func() error {
		for i := range took {
			begin := time.Now()
			if err := call(p, to, m); err != nil {
				return err
			}
			took[i] = time.Since(begin)
		}
		return nil
	})
	r.Percentiles(took)
	return r, err
}

func askMany(p Peer, n int) (Result, error) {
	const clients = 64
	each := max(n/clients, 1)
	to, m := p.Spawn(echo), &message{}
	return Measure("ask64", each*clients, func() error {
		errs := make([]error, clients)
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				for range each {
					if err := call(p, to, m); err != nil {
						errs[i] = err
						return
					}
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
}

// ball is played between two actors.
type ball struct{ from Ref }

func pingPong(p Peer, n int) (Result, error) {
	const pairs = 16
	return pingPongOf(p, pairs, n)
}

// pingPongOf plays in pairs; each way is a message.
func pingPongOf(p Peer, pairs, n int) (Result, error) {
	each := max(n/pairs/2, 1)
	done := make(chan int, pairs)
	players := make([]Ref, pairs)
	for i := range players {
		back := p.Spawn(func(c Context, m any) {
			if b, ok := m.(*ball); ok {
				c.Tell(b.from, m)
			}
		})
		seen, first := 0, true
		players[i] = p.Spawn(func(c Context, m any) {
			if first {
				first = false
				c.Tell(back, &ball{c.Self()})
				return
			}
			if seen++; seen < each {
				c.Tell(back, m)
			} else {
				done <- seen
			}
		})
	}
	return Measure("pingpong", 2*each*pairs, func() error {
		for _, player := range players {
			p.Tell(player, &message{})
		}
		sum := 0
		for range players {
			sum += <-done
		}
		return Expect("balls received", sum, each*pairs)
	})
}

// blocked plays ping-pong while handlers of other actors wait.
func blocked(p Peer, n int) (Result, error) {
	const waiting, pairs = 64, 8
	free := make(chan struct{})
	var started, ended sync.WaitGroup
	for range waiting {
		started.Add(1)
		ended.Add(1)
		p.Tell(p.Spawn(func(Context, any) {
			started.Done()
			<-free
			ended.Done()
		}), &message{})
	}
	running := make(chan struct{})
	go func() { // ends with the wait
		started.Wait()
		close(running)
	}()
	stalled := time.NewTimer(10 * time.Second)
	defer stalled.Stop()
	select {
	case <-running:
	case <-stalled.C:
		close(free)
		ended.Wait()
		return Result{}, errors.New("handlers that block keep others from starting")
	}
	r, err := pingPongOf(p, pairs, n)
	close(free)
	ended.Wait()
	return r, err
}
