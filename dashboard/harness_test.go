package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/granary-go/granary/dashboard"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// fake is an admin service that says what a test wants. Its functions are called by several goroutines.
type fake struct {
	pb.AdminClient

	mu      sync.Mutex // guards what follows
	members *pb.MembersResponse
	err     error
	asked   int
	drained []string

	events chan *pb.Event // to whoever watches
	grains func(*pb.GrainsRequest) (*pb.GrainsResponse, error)
	block  chan struct{} // if not nil, Grains waits for it
	inside chan struct{} // is told of each call of Grains that waits
}

func newFake() *fake {
	return &fake{events: make(chan *pb.Event), members: &pb.MembersResponse{
		Cluster: "shop", Epoch: 7, AnsweredBy: &pb.MemberRef{Id: "A", Address: "a:1"}, Members: []*pb.Member{active("A"), active("B")},
	}}
}

func active(id string) *pb.Member {
	return &pb.Member{Id: id, Address: strings.ToLower(id) + ":1", State: pb.State_STATE_ACTIVE, Slots: 2048, Status: &pb.Status{
		Ready: true, Lease: pb.Lease_LEASE_VALID, AtUnixNanos: time.Now().UnixNano(), Active: 3,
	}}
}

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *fake) Members(context.Context, *pb.MembersRequest, ...grpc.CallOption) (*pb.MembersResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.members, f.err
}

func (f *fake) Kinds(context.Context, *pb.KindsRequest, ...grpc.CallOption) (*pb.KindsResponse, error) {
	return &pb.KindsResponse{}, nil
}

func (f *fake) Slots(context.Context, *pb.SlotsRequest, ...grpc.CallOption) (*pb.SlotsResponse, error) {
	return &pb.SlotsResponse{}, nil
}

func (f *fake) Grains(ctx context.Context, r *pb.GrainsRequest, _ ...grpc.CallOption) (*pb.GrainsResponse, error) {
	if f.block != nil {
		f.inside <- struct{}{}
		select {
		case <-f.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.grains == nil {
		return &pb.GrainsResponse{}, nil
	}
	return f.grains(r)
}

func (f *fake) Explain(_ context.Context, r *pb.ExplainRequest, _ ...grpc.CallOption) (*pb.ExplainResponse, error) {
	data, err := json.Marshal(map[string]string{"kind": r.GetKind(), "identity": r.GetIdentity()})
	return &pb.ExplainResponse{Summary: r.GetKind() + "/" + r.GetIdentity() + " is active", Json: string(data)}, err
}

func (f *fake) Drain(_ context.Context, r *pb.DrainRequest, _ ...grpc.CallOption) (*pb.DrainResponse, error) {
	f.set(func(f *fake) { f.drained = append(f.drained, r.GetMember()) })
	return &pb.DrainResponse{Member: &pb.MemberRef{Id: r.GetMember()}, Active: 3}, nil
}

func (f *fake) Watch(ctx context.Context, _ *pb.WatchRequest, _ ...grpc.CallOption) (grpc.ServerStreamingClient[pb.WatchResponse], error) {
	return &stream{ctx: ctx, events: f.events}, nil
}

type stream struct {
	grpc.ClientStream

	ctx    context.Context
	events chan *pb.Event
}

func (s *stream) Recv() (*pb.WatchResponse, error) {
	select {
	case e, open := <-s.events:
		if !open {
			return nil, io.EOF
		}
		return &pb.WatchResponse{Event: e}, nil
	case <-s.ctx.Done():
		return nil, s.ctx.Err()
	}
}

// board is a dashboard behind a server.
type board struct {
	*testing.T

	url string
}

func newBoard(t *testing.T, client pb.AdminClient, opts ...dashboard.Option) *board {
	t.Helper()
	d := dashboard.New(client, append([]dashboard.Option{dashboard.WithInterval(100 * time.Millisecond)}, opts...)...)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Cleanup(d.Close) // first: it ends the streams that the server waits for
	return &board{t, server.URL}
}

func (b *board) do(method, path, body string, header ...string) *http.Response {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// get gives an answer's status and text.
func (b *board) get(path string) (int, string) {
	b.Helper()
	r := b.do(http.MethodGet, path, "")
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// patience bounds what a page waits for.
const patience = 30 * time.Second

// viewer is a page that reads the stream.
type viewer struct {
	*board

	end   context.CancelFunc
	lines *bufio.Scanner
}

func (b *board) view() *viewer {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	b.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/stream", nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		b.Fatalf("%s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	return &viewer{b, cancel, lines}
}

// until reads events until one has a name and meets a condition, and gives its data.
func (v *viewer) until(name string, met func(data string) bool) string {
	v.Helper()
	for current := ""; v.lines.Scan(); {
		if text, ok := strings.CutPrefix(v.lines.Text(), "event: "); ok {
			current = text
		}
		if data, ok := strings.CutPrefix(v.lines.Text(), "data: "); ok && current == name && met(data) {
			return data
		}
	}
	v.Fatalf("the stream has ended without such a %s: %v", name, v.lines.Err())
	return ""
}

func anything(string) bool { return true }

func has(text string) func(string) bool {
	return func(data string) bool { return strings.Contains(data, text) }
}
