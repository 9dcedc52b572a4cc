package dashboard_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/dashboard"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Everything that is served carries the policy, and no file needs more than it allows.
func TestPolicy(t *testing.T) {
	b := newBoard(t, newFake())
	for path, kind := range map[string]string{
		"/": "text/html", "/app.js": "text/javascript", "/style.css": "text/css", "/favicon.svg": "image/svg+xml", "/nothing": "text/plain",
		"/api/grains": "application/json",
	} {
		r := b.do(http.MethodGet, path, "")
		policy := r.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy %q lacks %s", path, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || r.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(r.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	markup := regexp.MustCompile(`(?i)<script[^>]*>\s*[^<\s]| style=| on[a-z]+=|https?://|//[a-z]`)
	if _, page := b.get("/"); markup.MatchString(page) {
		t.Errorf("the page holds %q", markup.FindString(page))
	}
	_, app := b.get("/app.js")
	scripts := []string{"app.js"}
	for _, found := range regexp.MustCompile(`from '\./([a-z]+\.js)'`).FindAllStringSubmatch(app, -1) {
		scripts = append(scripts, found[1])
	}
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|setAttribute\('style'|DOMParser|https?://[^w]`)
	for _, name := range scripts {
		if code, text := b.get("/" + name); code != http.StatusOK || unsafe.MatchString(text) {
			t.Errorf("%s: %d, %q", name, code, unsafe.FindString(text))
		}
	}
	if len(scripts) < 8 {
		t.Errorf("only %v were looked at", scripts)
	}
}

// What others have named travels as JSON in which no markup is left, whole where it is looked up again.
func TestHostileNames(t *testing.T) {
	f := newFake()
	hostile := "</script><img src=x onerror=alert(1)>\x00\x1b[31m\u202e\u2028" + strings.Repeat("x", 900)
	f.members.Cluster = hostile
	f.members.Members[0].Address = hostile + strings.Repeat("y", 10_000)
	f.members.Members[0].Labels = map[string]string{hostile: hostile}
	f.grains = func(*pb.GrainsRequest) (*pb.GrainsResponse, error) {
		return &pb.GrainsResponse{Grains: []*pb.Grain{{Kind: hostile[:100], Identity: hostile}}}, nil
	}
	b := newBoard(t, f)
	data := b.view().until("state", anything)
	if strings.ContainsAny(data, "<>&\x00\x1b\u2028") || len(data) > 8000 {
		t.Errorf("%d bytes: %q", len(data), data)
	}
	var state struct {
		Cluster string `json:"cluster"`
	}
	if err := json.Unmarshal([]byte(data), &state); err != nil || !strings.HasPrefix(state.Cluster, hostile[:50]) || len(state.Cluster) > 610 {
		t.Errorf("%v, %q", err, state.Cluster)
	}
	_, text := b.get("/api/grains")
	var page struct {
		Grains []struct {
			Identity string `json:"identity"`
		} `json:"grains"`
	}
	if err := json.Unmarshal([]byte(text), &page); err != nil || strings.ContainsAny(text, "<>") || len(page.Grains) != 1 || page.Grains[0].Identity != hostile {
		t.Errorf("%v: %q", err, text)
	}
	if code, text := b.get("/api/explain?kind=K&identity=" + url.QueryEscape(hostile)); code != http.StatusOK || strings.ContainsAny(text, "<>") {
		t.Errorf("%d: %q", code, text)
	}
}

func TestBadRequests(t *testing.T) {
	f := newFake()
	f.grains = func(*pb.GrainsRequest) (*pb.GrainsResponse, error) {
		return nil, status.Error(codes.InvalidArgument, "admin: after is no cursor")
	}
	b := newBoard(t, f)
	for path, want := range map[string]string{
		"/api/explain?kind=K&identity=" + strings.Repeat("x", 10<<10): "400 dashboard: identity has 10240 bytes, the limit is 1024",
		"/api/explain?kind=" + strings.Repeat("x", 129):               "400 dashboard: kind has 129 bytes",
		"/api/explain?kind=%ff":                                       "400 dashboard: kind is not valid UTF-8",
		"/api/grains?limit=1000000":                                   "400 dashboard: limit is \\\"1000000\\\": choose from 1 to 200",
		"/api/grains?limit=-1":                                        "400 dashboard: limit",
		"/api/grains?after=x":                                         "400 admin: after is no cursor",
		"/api/nothing":                                                "404 ",
	} {
		code, text := b.get(path)
		if got := fmt.Sprint(code, " ", text); !strings.HasPrefix(got, want[:4]) || !strings.Contains(got, want[4:]) {
			t.Errorf("%.60s: %s, want %s", path, got, want)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if r := b.do(method, "/api/explain", ""); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, r.Status)
		}
	}
}

// Of a million grains a page is asked for, never more.
func TestPagesOfAMillion(t *testing.T) {
	f := newFake()
	var limits []uint32
	f.grains = func(r *pb.GrainsRequest) (*pb.GrainsResponse, error) {
		limits = append(limits, r.GetLimit())
		out := &pb.GrainsResponse{Active: 1_000_000, Next: "next"}
		for i := range 10_000 { // more than were asked for
			out.Grains = append(out.Grains, &pb.Grain{Kind: "K", Identity: fmt.Sprintf("%s%07d", r.GetAfter(), i)})
		}
		return out, nil
	}
	b := newBoard(t, f)
	_, text := b.get("/api/grains?kind=K")
	if _, after := b.get("/api/grains?kind=K&after=next&limit=200"); !strings.Contains(after, `"next0000199"`) || strings.Contains(after, `"next0000200"`) {
		t.Errorf("%.200s", after)
	}
	if n := strings.Count(text, `"identity"`); n > dashboard.MaxPage || !strings.Contains(text, `"active":1000000`) || !strings.Contains(text, `"next":"next"`) || len(text) > 40_000 {
		t.Errorf("%d grains, %d bytes", n, len(text))
	}
	if want := []uint32{50, 200}; !slices.Equal(limits, want) {
		t.Errorf("asked for %d, want %d", limits, want)
	}
}

// It only looks, unless it may do more; and then only for its own page.
func TestReadOnly(t *testing.T) {
	const drain = `{"operation":"drain","member":"A"}`
	const sent, asJSON = "Content-Type", "application/json"
	f := newFake()
	closed, open := newBoard(t, f), newBoard(t, f, dashboard.WithAllow(admin.Drain, admin.Call))
	said := func(r *http.Response) string {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.StatusCode, " ", string(text))
	}
	for want, r := range map[string]*http.Response{
		"403 {\"error\":\"dashboard: \\\"drain\\\" is not allowed here": closed.do(http.MethodPost, "/api/operate", drain, sent, asJSON),
		"404 404 page not found":                                    open.do(http.MethodGet, "/api/operate", drain, sent, asJSON),
		"403 cross-origin request detected":                         open.do(http.MethodPost, "/api/operate", drain, sent, asJSON, "Sec-Fetch-Site", "cross-site"),
		"403 cross-origin request":                                  open.do(http.MethodPost, "/api/operate", drain, sent, asJSON, "Origin", "http://evil.example"),
		"400 {\"error\":\"dashboard: what is to be done is sent as": open.do(http.MethodPost, "/api/operate", drain, sent, "text/plain"),
		"400 {\"error\":\"dashboard: what is to be done is no JSON": open.do(http.MethodPost, "/api/operate", "{", sent, asJSON),
		"403 {\"error\":\"dashboard: \\\"leave\\\" is not allowed":  open.do(http.MethodPost, "/api/operate", `{"operation":"leave","member":"A"}`, sent, asJSON),
		"403 {\"error\":\"dashboard: \\\"call\\\" is not allowed":   open.do(http.MethodPost, "/api/operate", `{"operation":"call","member":"A"}`, sent, asJSON),
	} {
		if got := said(r); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if f.set(func(f *fake) {
		if len(f.drained) > 0 {
			t.Errorf("drained %v", f.drained)
		}
	}); !strings.Contains(open.view().until("hello", anything), `"allowed":["drain"]`) {
		t.Error("the page is not told what it may do")
	}
	if got := said(open.do(http.MethodPost, "/api/operate", drain, sent, asJSON)); !strings.HasPrefix(got, `200 {"done":"A takes nothing new; grains that go on there: 3"}`) {
		t.Error(got)
	}
	f.set(func(f *fake) {
		if !slices.Equal(f.drained, []string{"A"}) {
			t.Errorf("drained %v", f.drained)
		}
	})
}

// So many questions are answered at a time, and another one is told so.
func TestBusy(t *testing.T) {
	f := newFake()
	f.block, f.inside = make(chan struct{}), make(chan struct{})
	b := newBoard(t, f)
	answers := make(chan int)
	const most = 8
	for range most {
		go func() {
			r, err := http.Get(b.url + "/api/grains")
			if err != nil {
				answers <- 0
				return
			}
			_ = r.Body.Close()
			answers <- r.StatusCode
		}()
		<-f.inside
	}
	if code, text := b.get("/api/grains"); code != http.StatusServiceUnavailable || !strings.Contains(text, "as many questions as it may") {
		t.Errorf("%d %s", code, text)
	}
	close(f.block)
	for range most {
		if code := <-answers; code != http.StatusOK {
			t.Error(code)
		}
	}
}
