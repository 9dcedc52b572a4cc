package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
	"github.com/granary-go/granary/remote"
)

// Call sends a message to a grain and waits for its answer, at most for the
// request timeout. The grain is activated if it is not active. The message is
// a *GrainRequest, as generated code makes it, or any message the kind's
// actor handles; it must not be changed afterwards.
//
// A grain's own error is a [*GrainError]. See the package comment for when a
// call is tried again.
func (c *Cluster) Call(identity, kind string, message any, opts ...GrainCallOption) (any, error) {
	return c.CallContext(context.Background(), identity, kind, message, opts...)
}

// CallContext is Call with a context: its deadline, if it has one, takes the
// place of the request timeout, and its end ends the call.
//
// A call that a grain makes with its own context, or one derived of it, is
// refused with [ErrCallCycle] if it calls itself or a grain that waits for it: that
// one could not answer before the call has returned. With another context it
// would wait until its deadline.
func (c *Cluster) CallContext(ctx context.Context, identity, kind string, message any, opts ...GrainCallOption) (any, error) {
	k, err := c.newCall(ctx, identity, kind, message, opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx, k.settings)
	defer cancel()
	if k.observed != nil {
		return k.runObserved(ctx)
	}
	return k.run(ctx)
}

// newCall checks what can be checked before anything is sent.
//
//go:noinline
func (c *Cluster) newCall(ctx context.Context, identity, kind string, message any, opts []GrainCallOption) (*call, error) {
	k, err := c.checkedCall(ctx, identity, kind, message, opts)
	if c.observesCalls {
		if err != nil {
			c.refused(ctx, identity, kind, message, err)
		} else {
			k.observed = c.observe(k.id, message)
		}
	}
	return k, err
}

func (c *Cluster) checkedCall(ctx context.Context, identity, kind string, message any, opts []GrainCallOption) (*call, error) {
	id, err := newIdentity(identity, kind)
	if err != nil {
		return nil, err
	}
	if err := checkMessage(message); err != nil {
		return nil, err
	}
	k := &call{cluster: c, id: id, message: message, header: HeaderFrom(ctx)}
	k.caller, _ = ctx.Value(grainKey{}).(*grainContext)
	k.chain = k.caller.waits()
	k.met = k.chain.meets(c.config.name, id)
	if err := k.chain.refuse(c.config.name, id, k.caller != nil && k.caller.cluster == c); err != nil {
		return nil, err
	}
	for _, o := range opts {
		if o != nil {
			o.applyCall(&k.settings)
		}
	}
	if err := k.settings.named(); err != nil {
		return nil, err
	}
	return k, checkHeader(k.header)
}

// bounded applies the total deadline: the shorter of the context's own and the
// call's timeout; the request timeout if there is neither. The context of a call
// with retries ends with the call, so that tries that are not needed any more do not
// run.
func (c *Cluster) bounded(ctx context.Context, s callSettings) (context.Context, context.CancelFunc) {
	timeout := s.timeout
	if timeout <= 0 {
		if _, has := ctx.Deadline(); has {
			if s.retries > 0 {
				return context.WithCancel(ctx)
			}
			return ctx, func() {}
		}
		timeout = c.config.requestTimeout
	}
	return context.WithTimeout(ctx, max(timeout, time.Nanosecond))
}

// call is one grain call: as many tries as it takes within its deadline.
//
// A grain that calls is on a stack that begins small. What is not needed while the
// call waits is in functions of its own, which are not inlined, lest the stack
// grow for each call.
type call struct {
	cluster  *Cluster
	id       driver.Identity
	message  any
	settings callSettings
	again    int           // tries whose fate was unknown
	caller   *grainContext // the grain that calls with its own context, if one does
	chain    *waiting      // the grains that wait for the call
	met      bool          // the identity is in the chain, maybe of an activation that is gone
	header   actor.MessageHeader
	late     *lateTries // nil as long as there are none
	observed *observed  // nil if nobody observes
}

func (k *call) run(ctx context.Context) (any, error) {
	if k.settings.retries > 0 {
		defer func() { k.late.end() }()
	}
	if r, ok := k.message.(*GrainRequest); ok {
		k.message = r.from(ctx, k.chain, k.settings.id)
	}
	k.message = under(k.header, k.message)
	var suspect *location
	for wait := backoff(0); ; wait = wait.next() {
		reply, again, err := k.attempt(ctx, &suspect)
		if err == nil {
			return accept(ctx, reply)
		}
		if again && wait.pause(k.until(ctx)) != nil {
			again, err = false, k.over(ctx, err)
		}
		if reply, came := k.late.take(); came {
			return accept(ctx, reply)
		}
		if !again {
			return nil, err
		}
	}
}

// over is the error of a call whose time is up between two tries.
//
//go:noinline
func (k *call) over(ctx context.Context, last error) error {
	return fmt.Errorf("cluster: call %s: %w; the last try: %w", k.id, timedOut(ctx.Err()), last)
}

// until is what a call waits by: its context, which is done also when the answer
// of a late try has come.
func (k *call) until(ctx context.Context) context.Context {
	if k.late != nil {
		return k.late.ctx
	}
	return ctx
}

// attempt finds the activation and sends it the message. again says whether an
// error may be followed by another attempt. suspect is the location that failed.
func (k *call) attempt(ctx context.Context, suspect **location) (reply any, again bool, err error) {
	loc, err := k.cluster.locate(k.until(ctx), k.id, *suspect)
	if err != nil {
		if rejoining(err) {
			return nil, true, err
		}
		return nil, false, k.cluster.explain(k.id, err)
	}
	if err := k.mustNotSend(ctx, loc); err != nil {
		return nil, false, err
	}
	if k.observed != nil {
		reply, err = k.tryObserved(ctx, loc)
	} else {
		reply, err = k.try(ctx, loc)
	}
	if err == nil {
		return reply, false, nil
	}
	*suspect = loc
	k.cluster.cache.drop(k.id, loc)
	again, err = k.judge(ctx, loc, err)
	return nil, again, err
}

// mustNotSend is what is known, before a try, to be in its way.
//
//go:noinline
func (k *call) mustNotSend(ctx context.Context, loc *location) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("cluster: call %s: not sent: %w", k.id, timedOut(ctx.Err()))
	case k.caller != nil && !k.caller.activation.mayAct():
		return fmt.Errorf("cluster: call %s: not sent: %w", k.id, errFenced)
	case k.met && k.chain.holds(k.cluster.config.name, k.id, loc.fence):
		return k.chain.cycle(k.cluster.config.name, k.id)
	default:
		return nil
	}
}

// rejoining reports whether an error of locate passes when this process has
// joined again.
func rejoining(err error) bool {
	return errors.Is(err, errRejoining) || errors.Is(err, lookup.ErrClosed)
}

// try sends the message once and waits for the answer: until the call ends or,
// if the call may be tried again, for the time of a try.
func (k *call) try(ctx context.Context, loc *location) (any, error) {
	future := k.cluster.system.Root.RequestFuture(loc.pid, k.message, 0)
	if k.again < k.settings.retries {
		return k.tryFor(ctx, loc, future)
	}
	reply, err := future.ResultContext(k.until(ctx))
	if err != nil {
		return k.unanswered(ctx, loc, future, err)
	}
	return reply, withheld(reply)
}

func (k *call) tryFor(ctx context.Context, loc *location, future *actor.Future) (any, error) {
	reply, err := future.ResultWithin(k.until(ctx), k.cluster.config.tryTimeout)
	if err != nil {
		return k.unanswered(ctx, loc, future, err)
	}
	return reply, withheld(reply)
}

// unanswered ends a try that has failed, or that is not waited for any longer. In
// the latter case its answer still counts, as long as the call goes on.
//
//go:noinline
func (k *call) unanswered(ctx context.Context, loc *location, future *actor.Future, err error) (any, error) {
	if completed(future) { // also when the answer came at the same time
		reply, err := future.Result()
		if err == nil {
			err = withheld(reply)
		}
		return reply, err
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		future.Cancel() // the host knows the deadline
	case ctx.Err() != nil || k.until(ctx).Err() != nil:
		k.cluster.giveUp(loc, future)
	default: // the time of the try is over
		if k.late == nil {
			k.late = newLateTries(ctx, k.cluster)
		}
		k.late.add(loc, future)
		err = actor.ErrTimeout
	}
	return nil, err
}

// judge says whether a try that failed may be followed by another, and what is
// wrong. A dead letter of the activation itself certainly did not run, so the
// call goes on. Of any other try the fate is unknown, also of one that the grain
// handed on to an actor that is gone.
func (k *call) judge(ctx context.Context, loc *location, err error) (again bool, cause error) {
	if dead, ok := errors.AsType[*actor.DeadLetterError](err); ok && loc.pid.Equal(dead.Target) {
		if permanent(dead.Reason) {
			return false, fmt.Errorf("cluster: call %s: %w: %w", k.id, ErrInvalidMessage, err)
		}
		return true, err
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("cluster: call %s: %w: %w", k.id, ErrUnknownOutcome, timedOut(ctx.Err()))
	}
	k.again++
	return k.again <= k.settings.retries, fmt.Errorf("cluster: call %s: %w: %w", k.id, ErrUnknownOutcome, err)
}

// accept tells a grain's answer from its error. A grain that gave up because
// its caller did may be heard before the caller has noticed its own end.
func accept(ctx context.Context, reply any) (any, error) {
	switch r := reply.(type) {
	case *GrainResponse:
		return r.Message, nil
	case *GrainError:
		if end := ended(ctx); end != nil {
			return nil, fmt.Errorf("%w: %w", timedOut(end), r)
		}
		return nil, r
	default:
		return reply, nil
	}
}

// ended is the error of a context that is done. One whose deadline has passed may not
// know it yet.
func ended(ctx context.Context) error {
	if deadline, has := ctx.Deadline(); has && ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// backoff counts the pauses between the tries of a call: none before the
// second try, then 5 ms, doubled up to 250 ms, each with jitter.
type backoff int

func (b backoff) next() backoff { return b + 1 }

func (b backoff) pause(ctx context.Context) error {
	if b == 0 {
		return ctx.Err()
	}
	d := min(5*time.Millisecond<<min(b-1, 10), 250*time.Millisecond)
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// permanent reports whether a dead letter's reason says that no other try
// could go better: the message itself cannot cross.
func permanent(reason string) bool {
	return strings.HasPrefix(reason, remote.ReasonUnsendable) || strings.HasPrefix(reason, remote.ReasonUnreadable)
}
