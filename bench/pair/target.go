package pair

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/granary-go/granary/bench/benchpb"
	"github.com/granary-go/granary/bench/child"
	"github.com/granary-go/granary/bench/workload"
)

// patience is what a target has by default.
const patience = 10 * time.Second

// target is the process that is sent to, as the one that sends sees it.
type target struct {
	c       Case
	child   *child.Child
	address string
	// patience is how long nothing may arrive before a message counts as lost.
	patience time.Duration
}

// serve starts it.
func serve(c Case, args []string) (*target, error) {
	process, err := child.Start(append([]string{
		"-serve", "-targets", strconv.Itoa(c.targets), "-batch", strconv.Itoa(max(c.window.batch, 1)),
	}, args...)...)
	if err != nil {
		return nil, err
	}
	t := &target{c: c, child: process, patience: patience}
	var said listening
	if err := t.hear(&said); err != nil {
		process.Close()
		return nil, err
	}
	t.address = said.Address
	return t, nil
}

func (t *target) hear(v any) error {
	line, err := t.child.Hear(t.patience)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(line), v)
}

func (t *target) usage() (u child.Usage, err error) {
	t.child.Say(wordUsage)
	return u, t.hear(&u)
}

// run measures the case; allocations are those of both processes.
func (t *target) run(p Peer, n int) (r workload.Result, err error) {
	if err := p.Connect(t.address, t.c.targets); err != nil {
		return r, fmt.Errorf("connect: %w", err)
	}
	for i := range t.c.targets { // that each can be reached is no part of what is measured
		if _, err := p.Ask(i, &benchpb.Question{}); err != nil {
			return r, fmt.Errorf("the first question to %d: %w", i, err)
		}
	}
	before, err := t.usage()
	if err != nil {
		return r, err
	}
	if t.c.clients == 0 {
		r, err = t.tell(p, n)
	} else {
		r, err = t.ask(p, n)
	}
	if err != nil {
		return r, err
	}
	after, err := t.usage()
	if err != nil {
		return r, err
	}
	r.Allocations += float64(after.Mallocs-before.Mallocs) / float64(r.Ops)
	r.Bytes += float64(after.Bytes-before.Bytes) / float64(r.Ops)
	if t.c.clients > 0 {
		return r, nil
	}
	return r, workload.Expect("messages arrived", int(after.Arrived), r.Ops)
}

// tell sends whole batches, each when there is a credit for it: the target gives one back for each batch that has arrived.
func (t *target) tell(p Peer, n int) (workload.Result, error) {
	w, m := t.c.window, &benchpb.Note{Data: make([]byte, t.c.size)}
	batches := max(n/w.batch, 1)
	planned := batches * w.batch
	r, err := workload.Measure(t.c.Name, planned, func() error {
		begin, sent, arrived := time.Now(), 0, 0
		for arrived < batches {
			for ; sent < min(batches, arrived+w.credits); sent++ {
				if time.Since(begin) > workload.Enough {
					batches = sent + 1
				}
				if err := t.send(p, m, sent); err != nil {
					return err
				}
			}
			if _, err := t.child.Hear(t.patience); err != nil {
				return fmt.Errorf("messages are lost: %d of %d have arrived in whole batches: %w", arrived*w.batch, sent*w.batch, err)
			}
			arrived++
		}
		return nil
	})
	r.Only(batches * w.batch)
	return r, err
}

// send sends a batch, to the targets in turn.
func (t *target) send(p Peer, m *benchpb.Note, number int) error {
	size := t.c.window.batch
	for i := number * size; i < (number+1)*size; i++ {
		if err := p.Tell(i%t.c.targets, m); err != nil {
			return err
		}
	}
	return nil
}

// ask has clients ask one after the other, each the targets in turn.
func (t *target) ask(p Peer, n int) (workload.Result, error) {
	m := &benchpb.Question{Data: make([]byte, t.c.size)}
	return workload.Clients(t.c.Case, t.c.clients, n, func(i int) error {
		got, err := p.Ask(i%t.c.targets, m)
		if err == nil && len(got.GetData()) != t.c.size {
			err = errors.New("the answer is not what was asked")
		}
		return err
	})
}
