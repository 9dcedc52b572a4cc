package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/test/chaos/history"
)

const (
	callTimeout = 4 * time.Second
	// patience bounds how long a grain, or a transfer, may take when nothing is broken any more.
	patience = 90 * time.Second
	// mostCold is how many calls of new grains a client has under way, at most: faults hold many up, and the others go on.
	mostCold = 256
	// valuesOfOne is more than a client writes in its life.
	valuesOfOne = 1_000_000_000
	// retryPause is between two tries.
	retryPause = 50 * time.Millisecond
	accounts   = 6
)

// client is a process that calls grains.
type client struct {
	role     role
	holdings holdings
	cluster  *cluster.Cluster
	recorder *history.Recorder

	stop context.CancelFunc // nil while it rests
	wg   sync.WaitGroup
	mu   sync.Mutex // guards what follows
	made int64      // values, so that each is written once
	err  error      // of a transfer that did not end
}

func newClient(ctx context.Context, r role, system *actor.ActorSystem, recorder *history.Recorder) (player, error) {
	c := &client{role: r, holdings: holdings{process: r.Name, folder: r.Folder, recorder: recorder}, recorder: recorder}
	var err error
	if c.cluster, err = configure(r, system); err != nil {
		return nil, err
	}
	return c, c.cluster.StartClientContext(ctx)
}

func (c *client) do(word string) error {
	switch word {
	case toBegin:
		c.begin()
	case toRest:
		return c.rest()
	case toProbe:
		return c.probe()
	case toTally:
		return c.tally()
	case toAudit:
		if c.role.Lookup != nil {
			return nil // there are no owners
		}
		return c.audit(context.Background())
	case toGauge, toGaugeAfter:
		return c.holdings.take(word == toGaugeAfter)
	default:
		return errors.New("a client does no such thing")
	}
	return nil
}

func (c *client) finish() error {
	return errors.Join(c.rest(), c.cluster.Shutdown(true))
}

// ask is a call: what the grain is asked, and what is recorded of it.
type ask struct {
	do, argument, expect, peer, call string
}

// words are what the grain is told.
func (a ask) words() string {
	return strings.Join(strings.Fields(fmt.Sprint(a.do, " ", a.expect, " ", a.argument)), " ")
}

// A workload is what some of a client's goroutines do, over and over.
type workload struct {
	name    string
	kind    string
	names   int // of grains
	workers int
	pace    time.Duration // of each worker
	kept    bool          // in a store: others are asked in each epoch
	ask     func(c *client, r *rand.Rand) ask
}

func (w workload) identity(epoch, i int) string {
	if !w.kept {
		epoch = 0
	}
	return fmt.Sprintf("%s-%d.%d", w.name, i, epoch)
}

func count(*client, *rand.Rand) ask { return ask{do: history.DoAdd, argument: "1"} }

// workloads are all but the bank. What the last four count is in memory, and gone with the activation.
var workloads = []workload{
	{history.Register, registerKind, 5, 4, 25 * time.Millisecond, true, (*client).askRegister},
	{history.Counter, sumKind, 4, 2, 25 * time.Millisecond, true, count},
	{history.List, listKind, 4, 2, 40 * time.Millisecond, true, (*client).askList},
	{"tally", tallyKind, 6, 3, 25 * time.Millisecond, false, count},
	{"hot", tallyKind, 1, 3, 10 * time.Millisecond, false, count},
	{"storm", briefKind, 60, 2, 10 * time.Millisecond, false, count},
	{"loose", looseKind, 6, 2, 25 * time.Millisecond, false, count},
}

func (c *client) askRegister(r *rand.Rand) ask {
	switch r.IntN(4) {
	case 0:
		return ask{do: history.DoWrite, argument: c.value()}
	case 1:
		return ask{do: history.DoCAS, expect: c.recent(r), argument: c.value()}
	}
	return ask{do: history.DoRead}
}

func (c *client) askList(r *rand.Rand) ask {
	if r.IntN(3) == 0 {
		return ask{do: history.DoRead}
	}
	return ask{do: history.DoAppend, argument: c.value()}
}

// value gives a number that no other client gives, nor this one again.
func (c *client) value() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	return fmt.Sprint(int64(c.role.Number+1)*valuesOfOne + c.made)
}

// recent gives one of the last numbers, which may be in a register.
func (c *client) recent(r *rand.Rand) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(int64(c.role.Number+1)*valuesOfOne + max(0, c.made-r.Int64N(8)))
}

// workloads are those of this client. MongoDB's stand-in reads all documents for each claim of a grain: there are few then,
// and seldom called.
func (c *client) workloads() []workload {
	few := slices.Clone(workloads)
	if c.role.Lookup == nil || c.role.Lookup.System != "mongo" {
		return few
	}
	for i := range few {
		few[i].names, few[i].workers, few[i].pace = (few[i].names+3)/4, 1, 4*few[i].pace
	}
	return few
}

func (c *client) begin() {
	if c.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	seed := c.role.Seed
	start := func(pace time.Duration, one func(r *rand.Rand)) {
		seed++
		r := rand.New(rand.NewPCG(seed, uint64(c.role.Number)))
		c.wg.Go(func() { repeat(ctx, pace, func() { one(r) }) })
	}
	for _, w := range c.workloads() {
		for range w.workers {
			start(w.pace, func(r *rand.Rand) { _ = c.call(w.name, w.kind, w.identity(c.epoch(), r.IntN(w.names)), w.ask(c, r)) })
		}
	}
	start(50*time.Millisecond, c.transfer)
	if c.role.Cold > 0 {
		underWay := make(chan struct{}, mostCold)
		start(time.Second/time.Duration(c.role.Cold), func(*rand.Rand) {
			select {
			case underWay <- struct{}{}:
			default:
				return
			}
			c.wg.Go(func() {
				_ = c.call("cold", briefKind, "cold-"+c.value(), ask{do: history.DoAdd, argument: "1"})
				<-underWay
			})
		})
	}
}

// repeat does something, once a pace, until the context ends.
func repeat(ctx context.Context, pace time.Duration, f func()) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f()
		case <-ctx.Done():
			return
		}
	}
}

func (c *client) rest() error {
	if c.stop == nil {
		return nil
	}
	c.stop()
	c.wg.Wait()
	c.stop = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// call makes a call and records it.
func (c *client) call(workload, kind, identity string, a ask) error {
	_, err := c.callFor(workload, kind, identity, a)
	return err
}

func (c *client) callFor(workload, kind, identity string, a ask) (result string, err error) {
	call := c.recorder.Begin(history.Operation{
		Client: c.role.Name, Workload: workload, Kind: kind, Identity: identity,
		Do: a.do, Argument: a.argument, Expect: a.expect, Peer: a.peer, Call: a.call,
	})
	words := a.words()
	if a.do == history.DoTransfer { // a teller is asked, and not the account
		words = strings.Join([]string{a.do, a.call, identity, a.peer, a.argument}, " ")
		kind, identity = tellerKind, fmt.Sprint("teller-", a.call[len(a.call)-1:])
	}
	reply, err := c.cluster.CallContext(sentNow(c.recorder), identity, kind, wrapperspb.String(words), cluster.WithTimeout(callTimeout))
	switch {
	case err == nil:
	case ran(err):
		call.Unknown(err)
		return "", err
	default:
		call.Refused(err)
		return "", err
	}
	text, ok := reply.(*wrapperspb.StringValue)
	if !ok {
		panic(fmt.Sprintf("the reply is a %T", reply))
	}
	token, result, _ := strings.Cut(text.Value, " ")
	t, err := history.ParseToken(token)
	if err != nil {
		panic(err)
	}
	if a.do == history.DoTransfer {
		t = history.Token{} // the teller's
	}
	call.OK(result, t)
	return result, nil
}

// ran reports whether docs/guides/calling-grains.md says of an error that the call may have run.
func ran(err error) bool {
	if errors.Is(err, cluster.ErrUnknownOutcome) {
		return true
	}
	var grain *cluster.GrainError // the grain ran, and could not save perhaps
	return errors.As(err, &grain) && grain.Code != cluster.CodeActivation
}

// transfer moves money between two accounts, and tries until it has.
func (c *client) transfer(r *rand.Rand) {
	two, epoch := r.Perm(accounts)[:2], c.epoch()
	a := ask{do: history.DoTransfer, call: "transfer-" + c.value(), peer: accountName(epoch, two[1]), argument: strconv.Itoa(1 + r.IntN(100))}
	until := time.Now().Add(patience)
	for {
		err := c.call(history.Bank, accountKind, accountName(epoch, two[0]), a)
		if err == nil {
			return
		}
		if time.Now().After(until) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.err = errors.Join(c.err, fmt.Errorf("%s was not done within %s: %w", a.call, patience, err))
			return
		}
		<-time.After(retryPause)
	}
}

func accountName(epoch, i int) string { return fmt.Sprintf("account-%d.%d", i, epoch) }

// epoch is the minute of the run. Grains that keep what they were told are others in each: so what is judged together, and
// what they keep, stays small in a run of hours.
func (c *client) epoch() int { return int(time.Since(c.role.Began) / time.Minute) }

// probe calls every grain until it answers.
func (c *client) probe() error {
	until := time.Now().Add(patience)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards errs
	var errs []error
	for _, w := range c.workloads() {
		for i := range w.names {
			r := rand.New(rand.NewPCG(uint64(i), 0))
			wg.Go(func() {
				for { // each try with a value of its own: an earlier one whose outcome is unknown may run as well
					err := c.call(w.name, w.kind, w.identity(c.epoch(), i), w.ask(c, r))
					if err == nil {
						return
					}
					if time.Now().After(until) {
						mu.Lock()
						defer mu.Unlock()
						errs = append(errs, fmt.Errorf("%s/%s does not answer within %s: %w", w.kind, w.identity(c.epoch(), i), patience, err))
						return
					}
					<-time.After(retryPause)
				}
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// tally records what all accounts hold.
func (c *client) tally() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var errs []error
	for epoch := range c.epoch() + 1 {
		for i := range accounts {
			name := accountName(epoch, i)
			text, err := c.balance(ctx, name)
			var has kept
			if err == nil {
				err = json.Unmarshal([]byte(text), &has)
			}
			errs = append(errs, err)
			c.recorder.Account(history.Account{Kind: accountKind, Identity: name, Balance: has.Value, Entries: has.Entries})
		}
	}
	return errors.Join(errs...)
}

// balance asks an account until it answers, or the context ends. Without leases an activation of the side of a split that has ended answers once that it
// has a successor, and is another one then.
func (c *client) balance(ctx context.Context, name string) (text string, err error) {
	for {
		text, err = c.callFor("balance", accountKind, name, ask{do: history.DoRead})
		if err == nil || !pause(ctx, retryPause) {
			return text, err
		}
	}
}
