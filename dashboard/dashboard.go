package dashboard

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"sync"

	pb "github.com/granary-go/granary/wire/adminpb"
)

//go:embed assets
var assets embed.FS

// policy lets the page use what comes from here, and nothing else. Scripts cannot turn texts into
// markup, as far as the browser knows trusted types.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Dashboard is the handler. It serves the page at the root of its path, and what the page
// asks for below. Make one with [New] or [Serve], and close it.
type Dashboard struct {
	config    config
	admin     pb.AdminClient
	handler   http.Handler
	boot      string // tells viewers that events are counted anew
	questions chan struct{}
	release   func() // ends what Serve has made; nil if it was New

	ctx    context.Context // until Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // the observers

	mu      sync.Mutex // guards what follows
	closed  bool
	viewers map[*viewer]struct{}
	rest    context.CancelFunc // ends the observers that serve the viewers now
	history history
}

// New makes a dashboard of the cluster whose admin service a client talks to. The client stays
// the caller's, who closes its connection after the dashboard.
func New(client pb.AdminClient, opts ...Option) *Dashboard {
	d := &Dashboard{
		config: configured(opts), admin: client, boot: rand.Text(), questions: make(chan struct{}, maxQuestions),
		viewers: make(map[*viewer]struct{}),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.history = history{points: []point{}, note: newNotes()}
	d.handler = d.routes()
	return d
}

// Close ends all streams and whatever else was begun, and waits for it. Requests are answered
// by 503 from then on. It may be called twice.
func (d *Dashboard) Close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel()
	d.wg.Wait()
	if d.release != nil {
		d.release()
	}
}

func (d *Dashboard) routes() http.Handler {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(fmt.Sprintf("dashboard: its own files: %v", err)) // they are part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /api/stream", d.stream)
	mux.HandleFunc("GET /api/explain", d.asked(d.explain))
	mux.HandleFunc("GET /api/grains", d.asked(d.grains))
	mux.HandleFunc("POST /api/operate", d.asked(d.operate))
	return http.NewCrossOriginProtection().Handler(mux)
}

// ServeHTTP implements http.Handler. Mounted below a prefix, it is to be stripped.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if d.ctx.Err() != nil {
		http.Error(w, "dashboard: it is closed, as its program ends: open the one of another member", http.StatusServiceUnavailable)
		return
	}
	d.handler.ServeHTTP(w, r)
}
