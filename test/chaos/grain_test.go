package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/test/fleet"
)

const (
	saving = 3 * time.Second // bounds each wait for the store
	moving = 3 * time.Second // bounds each call of a teller
	// sentHeader says when a call was made: a turn whose message was sent while its process was stopped began afterwards.
	sentHeader = "sent"
)

// A grain is asked by words and answers with its token and words.
func request(words ...any) *wrapperspb.StringValue {
	return wrapperspb.String(strings.TrimSuffix(fmt.Sprintln(words...), "\n"))
}

func respond(ctx actor.Context, a fleet.Activation, result string, err error) {
	if err != nil {
		ctx.Respond(&cluster.GrainError{Code: cluster.CodeGrain, Message: err.Error()})
		return
	}
	ctx.Respond(wrapperspb.String(a.Fence.String() + " " + result))
}

// counter counts its calls.
type counter struct {
	recorder *history.Recorder
	count    int
}

func (c *counter) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*wrapperspb.StringValue); !ok {
		return
	}
	a, end := beginTurn(ctx, c.recorder)
	c.count++
	end()
	respond(ctx, a, strconv.Itoa(c.count), nil)
}

// beginTurn records a turn of an activation; end records its end.
func beginTurn(ctx actor.Context, r *history.Recorder) (a fleet.Activation, end func()) {
	a, err := fleet.ParseActivation(ctx.Self().Id)
	if err != nil {
		panic(err)
	}
	sent, err := strconv.ParseInt(ctx.MessageHeader()[sentHeader], 10, 64)
	if err != nil {
		panic(err)
	}
	return a, r.Turn(history.Turn{
		Kind: a.Kind, Identity: a.Identity, Member: string(a.Member), Token: history.Token(a.Fence), Sent: time.Duration(sent),
	}).End
}

// kept is what the store has of a grain.
type kept struct {
	Value   int64           `json:"value"`
	List    []int64         `json:"list,omitempty"`
	Entries []history.Entry `json:"entries,omitempty"` // of an account
}

// keeping does what a keeper is asked, on what it keeps. It tells whether that has changed.
type keeping func(k *kept, words []string) (result string, changed bool, err error)

// keeper keeps what it has in a store. A strict one does so by its state; others hold their token against the store
// at each turn, also when they only read: the store says whether there is a successor.
type keeper struct {
	recorder *history.Recorder
	store    driver.FencedStore
	strict   bool
	do       keeping
}

func (k *keeper) Receive(ctx actor.Context) {
	m, ok := ctx.Message().(*wrapperspb.StringValue)
	if !ok {
		return
	}
	a, end := beginTurn(ctx, k.recorder)
	result, err := k.turn(ctx, a, strings.Fields(m.Value))
	end()
	respond(ctx, a, result, err)
	if errors.Is(err, driver.ErrFenced) {
		ctx.Stop(ctx.Self()) // a strict one is stopped: it has a successor, and nothing that it wrote would be taken
	}
}

func (k *keeper) turn(ctx actor.Context, a fleet.Activation, words []string) (string, error) {
	within, cancel := context.WithTimeout(context.Background(), saving)
	defer cancel()
	state := k.state(ctx, a)
	text, err := state.Load(within)
	if err != nil {
		return "", err
	}
	var has kept
	if len(text) > 0 {
		if err := json.Unmarshal(text, &has); err != nil {
			return "", err
		}
	}
	result, changed, err := k.do(&has, words)
	if err != nil || !changed {
		return result, err
	}
	if text, err = json.Marshal(has); err != nil {
		return "", err
	}
	return result, state.Save(within, text)
}

// state is where a keeper keeps what it has.
func (k *keeper) state(ctx actor.Context, a fleet.Activation) interface {
	Load(ctx context.Context) ([]byte, error)
	Save(ctx context.Context, value []byte) error
} {
	if k.strict {
		return cluster.StateOf(ctx)
	}
	return byHand{k.store, driver.Identity{Kind: a.Kind, Name: a.Identity}, a.Fence}
}

// byHand is the state of a grain whose kind has no store.
type byHand struct {
	store driver.FencedStore
	id    driver.Identity
	fence driver.Fence
}

func (s byHand) Load(ctx context.Context) ([]byte, error) { return s.store.Open(ctx, s.id, s.fence) }

func (s byHand) Save(ctx context.Context, value []byte) error {
	return s.store.Write(ctx, s.id, s.fence, value)
}

// register is read, written, and swapped if it has a value. It begins with none.
func register(k *kept, words []string) (result string, changed bool, err error) {
	numbers, err := numbers(words)
	if err != nil {
		return "", false, err
	}
	switch {
	case words[0] == history.DoRead:
	case words[0] == history.DoWrite && len(numbers) == 1:
		k.Value = numbers[0]
		return "", true, nil
	case words[0] == history.DoCAS && len(numbers) == 2:
		if changed = k.Value == numbers[0]; changed {
			k.Value = numbers[1]
		}
	default:
		return "", false, fmt.Errorf("a register does not %q", words)
	}
	if k.Value != 0 {
		result = fmt.Sprint(k.Value)
	}
	return result, changed, nil
}

// sum is added to.
func sum(k *kept, words []string) (result string, changed bool, err error) {
	numbers, err := numbers(words)
	switch {
	case err != nil:
		return "", false, err
	case words[0] == history.DoRead:
		return fmt.Sprint(k.Value), false, nil
	case words[0] == history.DoAdd && len(numbers) == 1:
		k.Value += numbers[0]
		return fmt.Sprint(k.Value), true, nil
	}
	return "", false, fmt.Errorf("a sum does not %q", words)
}

// list is appended to and read.
func list(k *kept, words []string) (result string, changed bool, err error) {
	numbers, err := numbers(words)
	if err != nil {
		return "", false, err
	}
	switch {
	case words[0] == history.DoRead:
		return fmt.Sprint(k.List), false, nil // as history.ListText writes it
	case words[0] == history.DoAppend && len(numbers) == 1:
		k.List = append(k.List, numbers[0])
		return fmt.Sprint(len(k.List)), true, nil
	}
	return "", false, fmt.Errorf("a list does not %q", words)
}

// account is moved money to and from, once for each id.
func account(k *kept, words []string) (result string, changed bool, err error) {
	switch {
	case words[0] == history.DoRead:
		text, err := json.Marshal(k)
		return string(text), false, err
	case words[0] == "move" && len(words) == 3:
		n, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil || slices.ContainsFunc(k.Entries, func(e history.Entry) bool { return e.Call == words[1] }) {
			return fmt.Sprint(k.Value), false, err
		}
		k.Value, k.Entries = k.Value+n, append(k.Entries, history.Entry{Call: words[1], Amount: n})
		return fmt.Sprint(k.Value), true, nil
	}
	return "", false, fmt.Errorf("an account does not %q", words)
}

func numbers(words []string) (found []int64, err error) {
	if len(words) == 0 {
		return nil, errors.New("no words")
	}
	for _, w := range words[1:] {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	return found, nil
}

// teller moves money from one account to another: "transfer id from to n". It may be asked again until it has done so.
type teller struct{ member *member }

func (t *teller) Receive(ctx actor.Context) {
	m, ok := ctx.Message().(*wrapperspb.StringValue)
	if !ok {
		return
	}
	a, end := beginTurn(ctx, t.member.recorder)
	err := t.move(strings.Fields(m.Value))
	end()
	respond(ctx, a, "", err)
}

func (t *teller) move(words []string) error {
	if len(words) != 5 {
		return fmt.Errorf("a teller does not %q", words)
	}
	id, from, to, n := words[1], words[2], words[3], words[4]
	if err := t.call(from, request("move", id, "-"+n)); err != nil {
		return err
	}
	return t.call(to, request("move", id, n))
}

func (t *teller) call(account string, message *wrapperspb.StringValue) error {
	_, err := t.member.cluster.CallContext(sentNow(t.member.recorder), account, accountKind, message, cluster.WithTimeout(moving))
	return err
}

// sentNow is the context of a call that says when it was made.
func sentNow(r *history.Recorder) context.Context {
	return cluster.WithHeader(context.Background(), sentHeader, strconv.FormatInt(int64(r.Now()), 10))
}
