package chaos

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/test/chaos/history"
)

const (
	mailbox     = "mailbox"
	courierPace = 40 * time.Millisecond
)

// courier sends numbered messages to the mailbox of every other member, and records what becomes of them. A message says
// which process has sent it, and to which member, whose process may be another when it arrives.
type courier struct {
	name     string
	system   *actor.ActorSystem
	recorder *history.Recorder
	to       map[string]string // addresses of the others, by name
	numbers  map[string]uint64 // by name; of the goroutine that sends, while there is one

	stop context.CancelFunc // nil while it rests
	wg   sync.WaitGroup
}

func newCourier(r role, system *actor.ActorSystem, recorder *history.Recorder) (*courier, error) {
	c := &courier{name: r.Name, system: system, recorder: recorder, to: make(map[string]string), numbers: make(map[string]uint64)}
	for i, host := range r.Hosts {
		if host != r.Host {
			c.to[memberName(i)] = fmt.Sprintf("%s:%d", host, remotePort)
		}
	}
	actor.SubscribeTo(system.EventStream, c.dead)
	_, err := system.Root.SpawnNamed(actor.PropsFromFunc(func(ctx actor.Context) {
		if l, ok := parseLetter(ctx.Message()); ok {
			l.record(recorder, history.Delivered, "")
		}
	}), mailbox)
	return c, err
}

// dead records a letter that will not be delivered, as far as is known: one that was sent here, or one that has come and
// that the mailbox has not handled before it stopped.
func (c *courier) dead(e *actor.DeadLetterEvent) {
	if l, ok := parseLetter(e.Message); ok {
		l.record(c.recorder, history.Dead, e.Reason)
	}
}

func (c *courier) begin() {
	if c.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	c.wg.Go(func() {
		tick := time.NewTicker(courierPace)
		defer tick.Stop()
		for {
			for name := range c.to {
				c.send(name)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

func (c *courier) send(to string) {
	c.numbers[to]++
	l := letter{c.name, to, c.numbers[to]}
	l.record(c.recorder, history.Sent, "")
	c.system.Root.Send(actor.NewPID(c.to[to], mailbox), l.message())
}

func (c *courier) rest() {
	if c.stop != nil {
		c.stop()
		c.wg.Wait()
		c.stop = nil
	}
}

func memberName(i int) string { return fmt.Sprint("member-", i) }

// letter is what a message says.
type letter struct {
	from, to string
	number   uint64
}

// record records what has happened to a letter. The reason of a dead one tells whether it may have arrived all the same.
func (l letter) record(r *history.Recorder, event history.Event, reason string) {
	content := fnv.New64a()
	_, _ = fmt.Fprint(content, l)
	r.Message(history.Message{
		Event: event, From: l.from + "/courier", To: l.to + "/" + mailbox, Number: l.number, Hash: content.Sum64(),
		Reason: reason, Doubtful: strings.Contains(reason, "unknown"),
	})
}

func (l letter) message() any { return wrapperspb.String(fmt.Sprint(l.from, " ", l.to, " ", l.number)) }

func parseLetter(message any) (l letter, ok bool) {
	text, ok := message.(*wrapperspb.StringValue)
	if !ok {
		return l, false
	}
	words := strings.Fields(text.Value)
	if len(words) != 3 || !strings.HasPrefix(words[0], "member") {
		return l, false
	}
	number, err := strconv.ParseUint(words[2], 10, 64)
	return letter{words[0], words[1], number}, err == nil
}
