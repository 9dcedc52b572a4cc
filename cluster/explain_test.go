package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/internal/placement"
)

// explain asks where a grain is, with patience.
func explain(t *testing.T, c *cluster.Cluster, identity, kind string) explanation.Explanation {
	t.Helper()
	e, err := c.Explain(t.Context(), identity, kind)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// opened asks until the owner has opened the slot.
func opened(t *testing.T, c *cluster.Cluster, identity, kind string) explanation.Explanation {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		e := explain(t, c, identity, kind)
		if e.Owner != nil && e.Owner.State == "open" {
			return e
		}
		if time.Now().After(deadline) {
			t.Fatalf("not opened in time:\n%s", e)
		}
	}
}

// says checks the text of an explanation.
func says(t *testing.T, e explanation.Explanation, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(e.String(), w) {
			t.Errorf("no %q in:\n%s", w, e)
		}
	}
}

func TestExplain(t *testing.T) {
	w := newWorld(t)
	members := []*cluster.Cluster{w.member(), w.member(), w.member()}
	client, stranger := w.client(), w.client()
	for _, c := range append(members, client, stranger) {
		sees(t, c, 3)
	}
	for _, id := range []string{"a", "b/c", "line\nbreak", "d"} {
		for _, c := range []*cluster.Cluster{members[0], client} {
			e := opened(t, c, id, counterKind)
			if e.Owner.Entry != nil || e.Cached != nil || len(e.Silent) != 0 {
				t.Fatalf("before the first call: %+v", e)
			}
			says(t, e, "is not active")
		}
		at := where(t, client, id)
		for _, c := range []*cluster.Cluster{client, stranger, members[0], members[1]} {
			e := explain(t, c, id, counterKind)
			says(t, e, " is active on "+at, "open, term", "granted to "+at, "running")
			tells(t, e, "owner slot acquired", "owner slot opened", "owner granted", "host started", "owner settled")
			if len(e.Hosts) != 1 || e.Hosts[0].Member.Address != at || e.Hosts[0].Token != e.Owner.Entry.Token || e.Slot >= placement.SlotCount {
				t.Errorf("%+v", e)
			}
			if (e.Cached != nil) != (c == client) || c == client && (e.Cached.Token != e.Owner.Entry.Token || e.Cached.Member != e.Owner.Entry.Host) {
				t.Errorf("cached %+v, the owner says %+v", e.Cached, e.Owner.Entry)
			}
		}
	}
	if e := explain(t, client, "line\nbreak", counterKind); !strings.HasPrefix(e.String(), `Counter/"line\nbreak" is active`) {
		t.Error(e)
	}
}

// tells checks that an explanation's history holds all of these, in their order
// and in the order of time. Clocks are all one here.
func tells(t *testing.T, e explanation.Explanation, want ...string) {
	t.Helper()
	for i, h := range e.History {
		if len(want) > 0 && h.Role+" "+h.What == want[0] {
			want = want[1:]
		}
		if h.At.IsZero() || time.Since(h.At) > time.Hour || i > 0 && h.At.Before(e.History[i-1].At) {
			t.Errorf("at %v: %+v", h.At, h)
		}
	}
	if len(want) > 0 {
		t.Errorf("no %q, or not there, in:\n%s", want[0], e)
	}
}

func TestExplanationsAreJSON(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	add(t, c, "x", 1)
	e := explain(t, c, "x", counterKind)
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var again explanation.Explanation
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(again)
	if err != nil || string(second) != string(data) || !reflect.DeepEqual(again.Owner, e.Owner) {
		t.Errorf("%s\nbecomes\n%s, %v", data, second, err)
	}
	for _, want := range []string{`"kind":"Counter"`, `"identity":"x"`, `"phase":"granted"`, `"phase":"running"`, `"state":"open"`, `"epoch":"2"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
}

// ghost joins a member that is in the view and answers nothing.
func (w *world) ghost(kinds ...driver.Kind) driver.Member {
	w.t.Helper()
	m := driver.Member{ID: "ghost", Address: "127.0.0.1:1", Kinds: kinds, Versions: driver.Versions{Min: 1, Max: 1}}
	session, err := w.registry.Provider().Join(w.t.Context(), driver.Request{Cluster: "test", Member: m})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = session.Close() })
	return m
}

// ownedBy gives an identity of a kind whose slot a member owns.
func ownedBy(t *testing.T, view driver.View, id driver.MemberID, kind string) string {
	t.Helper()
	table := placement.NewTable(view)
	for _, name := range identities(10_000) {
		if table.OwnedBy(placement.SlotOf(driver.Identity{Kind: kind, Name: name}), id) {
			return name
		}
	}
	t.Fatal("the member owns nothing")
	return ""
}

// An owner that is silent is named, and the hosts are asked all the same.
func TestExplainWithoutTheOwner(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	ids := identities(50)
	for _, id := range ids {
		add(t, c, id, 1)
	}
	ghost := w.ghost()
	sees(t, c, 2)
	table := placement.NewTable(c.View())
	for _, id := range ids {
		if !table.OwnedBy(placement.SlotOf(driver.Identity{Kind: counterKind, Name: id}), ghost.ID) {
			continue
		}
		client := w.client()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		e, err := client.Explain(ctx, id, counterKind)
		if err != nil {
			t.Fatal(err)
		}
		says(t, e, "its owner did not answer; it is running on "+c.ActorSystem().Address(), "127.0.0.1:1 (ghost), asked as owner")
		if e.Owner != nil || len(e.Silent) != 2 || len(e.Hosts) != 1 || e.Hosts[0].Phase != "running" {
			t.Errorf("%+v", e)
		}
		return
	}
	t.Fatal("the ghost owns none of the identities")
}

// A host that is silent is named, beside what the owner says.
func TestExplainWithoutTheHost(t *testing.T) {
	w := newWorld(t)
	c := w.member()
	add(t, c, "x", 1)
	ghost := w.ghost(driver.Kind{Name: "Haunted"})
	sees(t, c, 2)
	id := ownedBy(t, c.View(), c.MemberID(), "Haunted")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := c.CallContext(ctx, id, "Haunted", wrapperspb.Int64(1))
		done <- err
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		brief, end := context.WithTimeout(t.Context(), time.Second)
		e, err := c.Explain(brief, id, "Haunted")
		end()
		if err != nil {
			t.Fatal(err)
		}
		if e.Owner != nil && e.Owner.Entry != nil && len(e.Silent) == 1 && e.Silent[0].Member.ID == ghost.ID {
			says(t, e, "is to start on 127.0.0.1:1 (ghost), which has not answered", "granting to 127.0.0.1:1", "1 wait for it; the host is being asked",
				"asked as host", "granted "+e.Owner.Entry.Token+" with 127.0.0.1:1 (ghost)")
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not so in time:\n%s", e)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A slot that is not open says whose promise it waits for.
func TestExplainASlotThatIsAcquired(t *testing.T) {
	w := newWorld(t)
	w.ghost()
	c := w.member()
	sees(t, c, 2)
	id := ownedBy(t, c.View(), c.MemberID(), counterKind)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	e, err := c.Explain(ctx, id, counterKind)
	if err != nil {
		t.Fatal(err)
	}
	says(t, e, "waits for its slot, which "+c.ActorSystem().Address(), "(promises missing: ", "the promise of 127.0.0.1:1 (ghost)", "acquiring, term")
	if e.Owner == nil || e.Owner.MissingCount == 0 || len(e.Hosts) != 1 || len(e.Silent) != 1 {
		t.Errorf("%+v", e)
	}
}

// A stop that hangs is seen.
func TestExplainAStopThatHangs(t *testing.T) {
	w := newWorld(t)
	hangs, release := make(chan struct{}), make(chan struct{})
	c := w.member(cluster.NewKind("Hangs", actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Stopping:
			close(hangs)
			<-release
		case *wrapperspb.Int64Value:
			ctx.Respond(wrapperspb.Int64(1))
		}
	})))
	pid := c.Get("x", "Hangs")
	if _, err := actor.Ask[*wrapperspb.Int64Value](t.Context(), c.ActorSystem().Root, pid, wrapperspb.Int64(1)); err != nil {
		t.Fatal(err)
	}
	end := c.ActorSystem().Root.StopFuture(pid)
	<-hangs
	e := explain(t, c, "x", "Hangs")
	says(t, e, "is stopping on "+c.ActorSystem().Address(), "stopping, token")
	tells(t, e, "host started", "host stop begun")
	close(release)
	if err := end.Wait(); err != nil {
		t.Error(err)
	}
}

func TestExplainMisused(t *testing.T) {
	w := newWorld(t)
	c := w.make(w.kind())
	if _, err := c.Explain(t.Context(), "x", counterKind); !errors.Is(err, cluster.ErrNotStarted) {
		t.Errorf("before Start: %v", err)
	}
	client := w.client()
	if _, err := client.Explain(t.Context(), "", counterKind); !errors.Is(err, cluster.ErrInvalidIdentity) {
		t.Errorf("no identity: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Explain(ctx, "x", counterKind); !errors.Is(err, cluster.ErrNoView) {
		t.Errorf("without a view: %v", err)
	}
	w.member()
	sees(t, client, 1)
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if _, err := client.Explain(ctx, "x", counterKind); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	says(t, opened(t, client, "x", "Nobody's"), "is not active, and no active member hosts its kind")
}
