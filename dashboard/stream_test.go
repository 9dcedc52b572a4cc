package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/dashboard"
	pb "github.com/granary-go/granary/wire/adminpb"
)

func left(id string) *pb.Event {
	return &pb.Event{Member: &pb.MemberRef{Id: "A", Address: "a:1"}, What: &pb.Event_Left{Left: &pb.MemberChanged{
		Member: &pb.MemberRef{Id: id, Address: strings.ToLower(id) + ":1"}, Lost: true,
	}}}
}

func (f *fake) view(members ...*pb.Member) {
	f.set(func(f *fake) {
		f.members = &pb.MembersResponse{Cluster: "shop", Epoch: f.members.Epoch + 1, AnsweredBy: f.members.AnsweredBy, Members: members}
	})
}

// A member that dies is told of once, by an event; it stays on the page as one that is lost.
func TestLost(t *testing.T) {
	f := newFake()
	v := newBoard(t, f).view()
	v.until("hello", has(`"events":[]`))
	v.until("state", has(`"ready":2`))
	f.events <- left("B")
	v.until("event", has(`"type":"lost","text":"lost: b:1 (B) had not said that it would leave`))
	f.view(active("A"))
	v.until("state", has(`"gone":[{"id":"B","address":"b:1","at":`))
	f.view(active("A"), active("C"))
	for {
		// Nobody tells of C, so that the difference of the views does, and B is not told of again.
		data := v.until("event", anything)
		if strings.Contains(data, `"type":"joined","text":"joined: c:1 (C)"`) {
			break
		}
		t.Errorf("told: %s", data)
	}
	f.view(active("A"))
	v.until("event", has(`"type":"lost","text":"lost: c:1 (C)`))
	f.view(active("A"), active("B"))
	v.until("event", has(`joined: b:1 (B)`))
	v.until("state", func(data string) bool {
		return strings.Contains(data, `"members":2`) && !strings.Contains(data, `{"id":"B","address":"b:1","at"`)
	})
}

// What the cluster cannot tell is said, and who comes later has what was.
func TestSilence(t *testing.T) {
	f := newFake()
	b := newBoard(t, f, dashboard.WithCalls(func() dashboard.Calls { return dashboard.Calls{Answered: 5, P50: time.Millisecond, P99: time.Second} }))
	v := b.view()
	v.until("state", has(`"p50":1,"p99":1000`))
	f.set(func(f *fake) { f.err = status.Error(codes.Unavailable, "admin: nobody is there") })
	v.until("state", has(`"error":"admin: nobody is there"`))
	f.set(func(f *fake) {
		f.err = nil
		f.members.Members[1].Status = nil
		f.members.Failures = []*pb.Failure{{Member: &pb.MemberRef{Id: "B", Address: "b:1"}, Why: "no answer in time"}}
	})
	v.until("state", has(`"problems":[{"member":{"id":"B","address":"b:1"},"why":"no answer in time"}]`))
	later := b.view()
	later.until("hello", func(data string) bool {
		return strings.Contains(data, `"calls":true`) && strings.Contains(data, `"p50":1`)
	})
	later.until("state", has(`"viewers":2`))
}

// A stream that ends is begun anew, and that is said.
func TestStreamEnds(t *testing.T) {
	f := newFake()
	v := newBoard(t, f).view()
	f.events <- &pb.Event{What: &pb.Event_Began{Began: &pb.ViewChanged{Epoch: 7}}}
	v.until("event", has("watching through"))
	close(f.events)
	v.until("event", has("the member has ended the stream"))
}

// Many viewers are served by one observer, one too many is refused with words, and without any nobody is asked.
func TestViewers(t *testing.T) {
	f := newFake()
	b := newBoard(t, f, dashboard.WithViewers(3))
	views := []*viewer{b.view(), b.view(), b.view()}
	for _, v := range views {
		v.until("state", anything)
	}
	r := b.do(http.MethodGet, "/api/stream", "")
	text := make([]byte, 200)
	n, _ := r.Body.Read(text)
	if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text[:n]), "as many pages are open as it serves at a time, 3") || r.Header.Get("Retry-After") == "" {
		t.Errorf("%s: %s", r.Status, text[:n])
	}
	for _, v := range views {
		v.end()
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(patience)
	for since, still := 0, 0; still < 100; { // half a second, in which it would have asked five times
		if time.Now().After(end) {
			t.Fatal("the cluster is asked though nobody looks")
		}
		<-tick.C
		f.set(func(f *fake) {
			if still++; f.asked != since {
				since, still = f.asked, 0
			}
		})
	}
	b.view().until("state", anything) // there is room, and it is asked again
}

// slow is a connection that takes nothing until it is told to.
type slow struct {
	*httptest.ResponseRecorder

	mu    sync.Mutex // held while it takes nothing
	began chan struct{}
	once  sync.Once
	told  chan string
}

func (s *slow) Write(data []byte) (int, error) {
	s.once.Do(func() { close(s.began) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told <- string(data)
	return len(data), nil
}

func (s *slow) Flush() {}

// A slow viewer holds up nobody: it misses what finds no room, is told how much that was, and has the newest state.
func TestSlowViewer(t *testing.T) {
	f := newFake()
	d := dashboard.New(f, dashboard.WithInterval(100*time.Millisecond))
	defer d.Close()
	server := httptest.NewServer(d)
	defer server.Close()
	defer d.Close()
	fast := (&board{t, server.URL}).view()
	fast.until("state", anything)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := &slow{ResponseRecorder: httptest.NewRecorder(), began: make(chan struct{}), told: make(chan string, 2*dashboard.MaxPending)}
	s.mu.Lock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.ServeHTTP(s, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/stream", nil))
	}()
	<-s.began
	const extra = 44
	for i := range dashboard.MaxPending + extra {
		f.events <- &pb.Event{What: &pb.Event_View{View: &pb.ViewChanged{Epoch: uint64(i)}}}
		fast.until("event", has(fmt.Sprintf("view %d,", i)))
	}
	f.view(active("A"))
	fast.until("state", has(`"members":1,"ready":1`))
	s.mu.Unlock()
	next := func() string {
		select {
		case text := <-s.told:
			return text
		case <-ctx.Done():
			t.Fatal("the slow viewer is told nothing more")
			return ""
		}
	}
	events, missed := 0, ""
	for missed == "" {
		switch text := next(); {
		case strings.HasPrefix(text, "event: event"):
			events++
		case strings.HasPrefix(text, "event: missed"):
			missed = text
		}
	}
	if state := next(); events != dashboard.MaxPending || !strings.Contains(missed, fmt.Sprintf(`{"count":%d}`, extra)) || !strings.Contains(state, `"members":1,"ready":1`) {
		t.Errorf("%d events, %q, then %.80q", events, missed, state)
	}
	cancel()
	<-ended
}

// What is kept for those who come later is bounded.
func TestHistoryIsBounded(t *testing.T) {
	f := newFake()
	b := newBoard(t, f)
	v := b.view()
	for i := range dashboard.MaxEvents + 50 {
		f.events <- &pb.Event{What: &pb.Event_View{View: &pb.ViewChanged{Epoch: uint64(i)}}}
		v.until("event", anything)
	}
	for range 2 * dashboard.MaxEvents { // which do not displace the others
		f.events <- &pb.Event{What: &pb.Event_DeadLetter{DeadLetter: &pb.DeadLetter{Target: "t"}}}
	}
	f.events <- &pb.Event{What: &pb.Event_Lease{}}
	v.until("event", has(`"type":"lease"`))
	hello := b.view().until("hello", anything)
	if n := strings.Count(hello, `"type":"dead"`); n != dashboard.MaxDead {
		t.Errorf("%d dead letters are kept", n)
	}
	if n := strings.Count(hello, `"type":"view"`); n != dashboard.MaxEvents-1 || !strings.Contains(hello, fmt.Sprintf("view %d,", dashboard.MaxEvents+49)) {
		t.Errorf("%d events are kept", n)
	}
}

// A crowd is counted, and the first of it are listed.
func TestCrowd(t *testing.T) {
	f := newFake()
	var crowd []*pb.Member
	for i := range 1000 {
		crowd = append(crowd, active(fmt.Sprintf("M%04d", i)))
	}
	f.view(crowd...)
	data := newBoard(t, f).view().until("state", anything)
	if n := strings.Count(data, `"routines"`); n != dashboard.MaxMembers || !strings.Contains(data, `"moreMembers":744`) || !strings.Contains(data, `"members":1000,"ready":1000`) {
		t.Errorf("%d members are listed: %.200s", n, data)
	}
}

// Closed, it ends its streams and answers with words.
func TestClose(t *testing.T) {
	d := dashboard.New(newFake())
	server := httptest.NewServer(d)
	defer server.Close()
	b := &board{t, server.URL}
	v := b.view()
	v.until("state", anything)
	d.Close()
	d.Close()
	for v.lines.Scan() { // until it ends
	}
	if err := v.lines.Err(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if code, text := b.get("/"); code != http.StatusServiceUnavailable || !strings.Contains(text, "it is closed") {
		t.Errorf("%d %s", code, text)
	}
}

// How a member left is not made up where nobody knows.
func TestLeftNotKnownHow(t *testing.T) {
	f := newFake()
	v := newBoard(t, f).view()
	v.until("hello", has(`"events":[]`))
	v.until("state", has(`"ready":2`))
	e := left("B")
	e.GetLeft().Lost, e.GetLeft().UnknownHow = false, true
	f.events <- e
	v.until("event", has(`"type":"left","text":"left, not known how: b:1 (B)"`))
}

// A view that unites the sides of a split is said to.
func TestViewThatUnites(t *testing.T) {
	f := newFake()
	v := newBoard(t, f).view()
	v.until("hello", has(`"events":[]`))
	v.until("state", has(`"ready":2`))
	f.events <- &pb.Event{What: &pb.Event_View{View: &pb.ViewChanged{Epoch: 9, Count: 2, Unites: true}}}
	v.until("event", has(`"text":"view 9, members: 2; it unites the sides of a split"`))
}
