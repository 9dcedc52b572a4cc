package cluster

import (
	"context"
	"sync"

	"github.com/granary-go/granary/actor"
)

// cancelsName is the id of the process of a member that hears of calls that were
// given up. Its messages overtake the mailbox of the grain.
const cancelsName = "granary.cancels"

// grainCancel says that nobody waits any more for the answer to a request, which
// is known by the PID that was to receive it: the sender of this message.
type grainCancel struct{ activation string } // the id of the activation's PID

// requestKey names one try of a call.
type requestKey struct{ activation, address, id string }

// maxCancelled is how many calls that were given up are remembered because they
// may still wait in a mailbox. Of more, the oldest run, as if they had not been
// given up.
const maxCancelled = 4096

// cancels hears that callers in other processes have given up. Requests that run
// have their context cancelled, those that wait do not run.
type cancels struct {
	activations *activations

	mu sync.Mutex // guards the fields below; taken with the lock of an activation's turns held
	// waiting are requests that were given up and did not run, by their place
	// in ring.
	waiting map[requestKey]int
	ring    []requestKey
	next    int
}

// SendUserMessage implements actor.Process.
func (c *cancels) SendUserMessage(_ *actor.PID, env actor.MessageEnvelope) {
	m, ok := env.Message.(*grainCancel)
	if !ok || env.Sender == nil {
		return
	}
	v, _ := c.activations.byPID.Load(m.activation)
	if act, ok := v.(*activation); ok {
		c.cancel(act, requestKey{m.activation, env.Sender.Address, env.Sender.Id})
	}
}

// SendSystemMessage implements actor.Process.
func (c *cancels) SendSystemMessage(*actor.PID, any) {}

func (c *cancels) cancel(act *activation, key requestKey) {
	act.turns.Lock()
	defer act.turns.Unlock()
	for _, turn := range act.turns.running {
		if turn.key == key {
			turn.cancel()
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.waiting[key]; known {
		return
	}
	if c.waiting == nil {
		c.waiting = make(map[requestKey]int)
	}
	if len(c.ring) < maxCancelled {
		c.ring = append(c.ring, key)
		c.waiting[key] = len(c.ring) - 1
	} else {
		c.forget(c.ring[c.next], c.next)
		c.ring[c.next], c.waiting[key] = key, c.next
		c.next = (c.next + 1) % maxCancelled
	}
	act.turns.cancelled++
}

func (c *cancels) forget(key requestKey, place int) {
	if at, known := c.waiting[key]; known && at == place {
		delete(c.waiting, key)
	}
}

// taken reports whether a request was given up, and forgets that it was.
func (c *cancels) taken(key requestKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.waiting[key]
	if known {
		delete(c.waiting, key)
		c.ring[place] = requestKey{}
	}
	return known
}

// remoteTurn is a turn whose caller is another process.
type remoteTurn struct {
	key    requestKey
	cancel context.CancelFunc
}

// remoteTurns are those of one activation that have begun.
type remoteTurns struct {
	sync.Mutex // guards the fields below
	running    []remoteTurn
	// cancelled is how many requests were given up before they ran, as far as
	// they did not come up. It saves the look into the books of all.
	cancelled int
}

// begin lets a request run, unless its caller has given up. It has to be ended.
func (a *activation) begin(c *cancels, key requestKey, cancel context.CancelFunc) bool {
	a.turns.Lock()
	defer a.turns.Unlock()
	if a.turns.cancelled > 0 && c.taken(key) {
		a.turns.cancelled--
		return false
	}
	a.turns.running = append(a.turns.running, remoteTurn{key, cancel})
	return true
}

func (a *activation) end(key requestKey) {
	a.turns.Lock()
	defer a.turns.Unlock()
	running := a.turns.running
	for i := range running {
		if running[i].key == key {
			running[i] = running[len(running)-1]
			running[len(running)-1] = remoteTurn{}
			a.turns.running = running[:len(running)-1]
			return
		}
	}
}

// giveUp lets the host of a request know that its answer is not waited for.
func (c *Cluster) giveUp(loc *location, future *actor.Future) {
	future.Cancel()
	if address := loc.pid.Address; address != c.system.Address() {
		c.system.Root.RequestWithCustomSender(actor.NewPID(address, cancelsName), &grainCancel{loc.pid.Id}, future.PID())
	}
}
