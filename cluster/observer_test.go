package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
)

// diary is what the observers of a test were told, by all processes.
type diary struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (d *diary) writef(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// want compares what was told since the last time, in its order. The owner and the caller may go on before
// the activation is ready, but no method runs.
func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	same := len(d.lines) == len(lines)
	for _, by := range []string{"owner", "activation", "caller"} {
		others := func(line string) bool { return toldBy(line) != by }
		same = same && slices.Equal(slices.DeleteFunc(slices.Clone(d.lines), others), slices.DeleteFunc(slices.Clone(lines), others))
	}
	last := func(prefix string) (at int) {
		for i, line := range d.lines {
			if strings.HasPrefix(line, prefix) {
				at = i
			}
		}
		return at
	}
	if !same || last("activated ") > last("serve ") {
		t.Errorf("the observers were told\n\t%s\nwant\n\t%s", strings.Join(d.lines, "\n\t"), strings.Join(lines, "\n\t"))
	}
	d.lines = nil
}

// toldBy says whose goroutine has told a line.
func toldBy(line string) string {
	switch {
	case strings.HasPrefix(line, "placed: "):
		return "owner"
	case strings.HasPrefix(line, "OnActivate "), strings.HasPrefix(line, "activated "):
		return "activation"
	default:
		return "caller"
	}
}

// noted is the key of what an observer puts in contexts.
type noted struct{}

func note(ctx context.Context) string {
	s, _ := ctx.Value(noted{}).(string)
	return s
}

// short is the first words of an error.
func short(err error) string {
	if err == nil {
		return "ok"
	}
	words := strings.Fields(err.Error())
	return strings.Join(words[:min(3, len(words))], " ")
}

// observer notes everything it is told, and hands on a path of words by contexts
// and by the header "path".
func (d *diary) observer() cluster.Option {
	end := func(what string) func(error) {
		return func(err error) { d.writef("%s: %s", what, short(err)) }
	}
	header := func(path string) actor.MessageHeader { return actor.MessageHeader{"path": path} }
	return cluster.WithObserver(&cluster.Observer{
		Call: func(ctx context.Context, c cluster.ObservedCall) (context.Context, func(error)) {
			path := note(ctx) + " call-" + c.Identity.Name + "." + c.Method
			d.writef("call %s", path)
			return context.WithValue(ctx, noted{}, path), end("called " + path)
		},
		Try: func(ctx context.Context, _ cluster.ObservedCall, number int, last error) (actor.MessageHeader, func(error)) {
			path := fmt.Sprintf("%s try-%d", note(ctx), number)
			d.writef("try %s, after %s", path, short(last))
			return header(path), end("tried " + path)
		},
		Resolve: func(ctx context.Context, _ driver.Identity, again bool) (actor.MessageHeader, func(driver.MemberID, error)) {
			d.writef("resolve %s, again %t", note(ctx), again)
			return header(note(ctx) + " resolve"), func(at driver.MemberID, err error) { d.writef("resolved, at %t: %s", at != "", short(err)) }
		},
		Place: func(h actor.MessageHeader, _ driver.Identity) (actor.MessageHeader, func(string, driver.MemberID)) {
			d.writef("place %s", h["path"])
			return header(h["path"] + " place"), func(outcome string, at driver.MemberID) { d.writef("placed: %s, at %t", outcome, at != "") }
		},
		Activate: func(ctx context.Context, h actor.MessageHeader, id driver.Identity) (context.Context, func(error)) {
			d.writef("activate %s", h["path"])
			return context.WithValue(ctx, noted{}, h["path"]+" activate"), end("activated " + id.Name)
		},
		Serve: func(ctx context.Context, h actor.MessageHeader, _ driver.Identity, method string) (context.Context, func(error)) {
			if has := note(ctx); has != "" {
				d.writef("the context of %s has %s already", method, has)
			}
			d.writef("serve %s", h["path"])
			return context.WithValue(ctx, noted{}, h["path"]+" serve"), end("served " + method)
		},
		Deactivated: func(id driver.Identity, reason cluster.DeactivationReason) {
			d.writef("deactivated %s: %s", id.Name, reason)
		},
	})
}

// observedPair is a member with relays and a client, who note what they do.
func (b *bubble) observedPair(d *diary, o *orders, opts ...cluster.Option) (member, client *cluster.Cluster) {
	member = b.process(append(opts, d.observer(), o.kind(cluster.WithPassivation(time.Minute)))...)
	client = b.start(b.build(b.registry.Provider(), append(opts, d.observer())...), true)
	return member, client
}

// A call is told of from its caller on to the method, in the order in which things
// happen, and what the observer says at one place reaches the next, in the other
// process, too.
func TestObserverFollowsACall(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		d, orders := new(diary), newOrders()
		orders.activate = func(_ *relay, ctx cluster.GrainContext) error {
			d.writef("OnActivate with %s", note(ctx))
			return nil
		}
		orders.words["note"] = func(_ *relay, ctx cluster.GrainContext, _ []string) (string, error) { return note(ctx), nil }
		_, client := b.observedPair(d, orders)
		ctx := cluster.WithHeader(context.WithValue(t.Context(), noted{}, "test"), "path", "the caller's own is not meant")
		const path = "test call-a.Do"
		if got, err := callRelay(ctx, client, "a", "note"); err != nil || got != path+" try-0 serve" {
			t.Errorf("the method has %s, %v", got, err)
		}
		d.want(t, "call "+path, "resolve "+path+", again false", "place "+path+" resolve", "activate "+path+" resolve place",
			"placed: found, at true", "OnActivate with "+path+" resolve place activate", "activated a: ok", "resolved, at true: ok",
			"try "+path+" try-0, after ok", "serve "+path+" try-0", "served Do: ok", "tried "+path+" try-0: ok", "called "+path+": ok")
		if _, err := callRelayReenterably(ctx, client, "a", "call b"); err != nil {
			t.Error(err)
		}
		inner := "test call-a.DoReenterably try-0 serve call-b.Do"
		d.want(t, "call test call-a.DoReenterably", "try test call-a.DoReenterably try-0, after ok", "serve test call-a.DoReenterably try-0",
			"call "+inner, "resolve "+inner+", again false", "place "+inner+" resolve", "activate "+inner+" resolve place", "placed: found, at true",
			"OnActivate with "+inner+" resolve place activate", "activated b: ok", "resolved, at true: ok", "try "+inner+" try-0, after ok",
			"serve "+inner+" try-0", "served Do: ok", "tried "+inner+" try-0: ok", "called "+inner+": ok",
			"served DoReenterably: ok", "tried test call-a.DoReenterably try-0: ok", "called test call-a.DoReenterably: ok")
	})
}

// Above a database there is no owner; the question's header reaches the host all the same.
func TestObserverAboveAnIdentityLookup(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		d := new(diary)
		_, client := b.observedPair(d, newOrders(), cluster.WithIdentityLookup(clustertest.NewEntryStore()))
		if _, err := callRelay(t.Context(), client, "a"); err != nil {
			t.Error(err)
		}
		const path = " call-a.Do"
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, want := range []string{"activate " + path + " resolve", "activated a: ok", "resolved, at true: ok", "serve " + path + " try-0"} {
			if !slices.Contains(d.lines, want) {
				t.Errorf("nobody was told %q, but %q", want, d.lines)
			}
		}
	})
}

// A grain that is gone is found again: each try is told of, and why the one before
// it failed.
func TestObserverOfTriesAndEnds(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		d := new(diary)
		_, client := b.observedPair(d, newOrders())
		b.calls(client, "a")
		time.Sleep(90 * time.Second)
		synctest.Wait()
		d.mu.Lock()
		if last := d.lines[len(d.lines)-1]; last != "deactivated a: idle" {
			t.Errorf("at last the observers were told %q", last)
		}
		d.lines = nil
		d.mu.Unlock()
		b.calls(client, "a")
		const path = " call-a.Do"
		d.want(t, "call "+path, "try "+path+" try-0, after ok", "tried "+path+" try-0: actor: dead letter:",
			"resolve "+path+", again true", "place "+path+" resolve", "activate "+path+" resolve place", "placed: found, at true",
			"activated a: ok", "resolved, at true: ok", "try "+path+" try-1, after actor: dead letter:",
			"serve "+path+" try-1", "served Do: ok", "tried "+path+" try-1: ok", "called "+path+": ok")
	})
}

// What goes wrong is told where it does.
func TestObserverOfFailures(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		d, orders := new(diary), newOrders()
		orders.words["fail"] = func(*relay, cluster.GrainContext, []string) (string, error) { return "", errors.New("no such book") }
		orders.words["panic"] = func(*relay, cluster.GrainContext, []string) (string, error) { panic("no such book") }
		orders.activate = func(r *relay, _ cluster.GrainContext) error {
			if r.ID() == "never" {
				return errors.New("no state to load")
			}
			return nil
		}
		member, _ := b.observedPair(d, orders)
		b.calls(member, "a")
		d.lines = nil
		for _, word := range []string{"fail", "panic"} {
			for method, call := range map[string]func(context.Context, *cluster.Cluster, string, ...string) (string, error){
				"Do": callRelay, "DoReenterably": callRelayReenterably,
			} {
				if _, err := call(t.Context(), member, "a", word); err == nil {
					t.Errorf("%s has no error", word)
				}
				served := map[string]string{"fail": "no such book", "panic": "cluster: the method"}[word]
				said := map[string]string{"fail": "no such book", "panic": "cluster: grain: panic:"}[word]
				path := " call-a." + method
				d.want(t, "call "+path, "try "+path+" try-0, after ok", "serve "+path+" try-0", "served "+method+": "+served,
					"tried "+path+" try-0: ok", "called "+path+": "+said)
			}
		}
		if _, err := callRelay(t.Context(), member, "never"); err == nil {
			t.Error("a grain that cannot be activated has no error")
		}
		if !slices.Contains(d.lines, "activated never: cluster: the grain") {
			t.Errorf("nobody was told of the failed activation, but %q", d.lines)
		}
		d.lines = nil
		if _, err := member.Call("a", "no/kind", nil); err == nil {
			t.Error("a kind with a slash has no error")
		}
		d.want(t, "call  call-a.", "called  call-a.: cluster: invalid identity:")
	})
}

// An observer may want to know nothing, or say nothing.
func TestObserverThatIsSilent(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		silent := &cluster.Observer{
			Call: func(context.Context, cluster.ObservedCall) (context.Context, func(error)) { return nil, nil },
			Try: func(context.Context, cluster.ObservedCall, int, error) (actor.MessageHeader, func(error)) {
				return nil, nil
			},
			Resolve: func(context.Context, driver.Identity, bool) (actor.MessageHeader, func(driver.MemberID, error)) {
				return nil, nil
			},
			Place: func(actor.MessageHeader, driver.Identity) (actor.MessageHeader, func(string, driver.MemberID)) {
				return nil, nil
			},
			Activate: func(context.Context, actor.MessageHeader, driver.Identity) (context.Context, func(error)) {
				return nil, nil
			},
			Serve: func(context.Context, actor.MessageHeader, driver.Identity, string) (context.Context, func(error)) {
				return nil, nil
			},
		}
		talks := *silent // it has others placed and activated, which are silent
		talks.Resolve = func(context.Context, driver.Identity, bool) (actor.MessageHeader, func(driver.MemberID, error)) {
			return actor.MessageHeader{"path": "x"}, nil
		}
		for _, o := range []*cluster.Observer{nil, {}, silent, &talks} {
			b.process(newOrders().kind(), cluster.WithObserver(o))
		}
		for i, c := range b.made {
			for _, id := range identities(20) {
				if got, err := callRelay(t.Context(), c, id+fmt.Sprint(i), "call", "other-"+id); err != nil || got != "other-"+id {
					t.Errorf("%s, %v", got, err)
				}
			}
		}
	})
}

func TestActiveGrainsAndMovedSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		orders := newOrders()
		first := b.process(orders.kind(cluster.WithPassivation(time.Minute)))
		var moved []int
		actor.SubscribeTo(first.ActorSystem().EventStream, func(e *cluster.ClusterTopology) { moved = append(moved, e.MovedSlots) })
		b.calls(first, "a", "b", "c")
		if got := first.ActiveGrains()[relayKind]; got != 3 {
			t.Errorf("%d grains are active; want 3", got)
		}
		time.Sleep(90 * time.Second)
		if got := first.ActiveGrains(); got[relayKind] != 0 || len(got) != 1 {
			t.Errorf("%v are active; want none of one kind", got)
		}
		b.process(orders.kind())
		synctest.Wait()
		if len(moved) != 1 || moved[0] < 1500 || moved[0] > 2600 {
			t.Errorf("slots moved: %v; want about half of 4096, once", moved)
		}
		if _, told := first.LeaseMargin(); told {
			t.Error("a member without a lease tells how much is left of it")
		}
		if peers := first.Remote().Peers(); len(peers) != 1 {
			t.Errorf("peers: %v", peers)
		}
	})
}

func TestLeaseMargin(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		store := clustertest.NewRecordStore()
		member := b.onStore(store, b.kind())
		if margin, told := member.LeaseMargin(); !told || margin <= 0 || margin > leaseTime {
			t.Errorf("the lease has %v left, %t; want up to %v", margin, told, leaseTime)
		}
		before, _ := member.LeaseMargin()
		store.Outage(true)
		defer store.Outage(false)
		time.Sleep(leaseTime / 2)
		if margin, _ := member.LeaseMargin(); margin >= before {
			t.Errorf("the lease had %v left, and later %v, with a store that does not answer", before, margin)
		}
		time.Sleep(leaseTime)
		if margin, told := member.LeaseMargin(); told && margin != 0 {
			t.Errorf("a lease that has ended has %v left", margin)
		}
	})
}
