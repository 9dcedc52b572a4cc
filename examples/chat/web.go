package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

//go:embed page.html
var page embed.FS

const (
	// renewal is how often a guest enters the room anew, which may have come to another member and forgotten its guests.
	renewal = time.Second
	// backlog is how many lines wait for a browser that is slow. One that is slower is cut off, and connects again.
	backlog = 100
)

// web is the page of a member:
//
//	GET  /                               the page
//	GET  /rooms/{room}/lines?guest=ada   what is said, as server-sent events, as long as the guest listens
//	POST /rooms/{room}/lines?guest=ada   says something: the body is the text
type web struct {
	cluster *cluster.Cluster
	// closing is done when the member shuts down, and ends what would go on forever.
	closing context.Context
}

func (w web) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) { http.ServeFileFS(rw, r, page, "page.html") })
	mux.HandleFunc("GET /rooms/{room}/lines", w.listen)
	mux.HandleFunc("POST /rooms/{room}/lines", w.say)
	return mux
}

// say is a guest's word.
func (w web) say(rw http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxText))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	room := GetRoomGrainClient(w.cluster, r.PathValue("room"))
	line := &Line{Guest: r.URL.Query().Get("guest"), Text: string(text)}
	if _, err := room.SayContext(r.Context(), line); err != nil {
		http.Error(rw, err.Error(), status(err))
		return
	}
	rw.WriteHeader(http.StatusNoContent)
}

// listener is the actor of one open page. It hands on what the room sends.
type listener struct {
	lines    chan<- *Line
	overflow context.CancelFunc
}

func (l *listener) Receive(ctx actor.Context) {
	if line, ok := ctx.Message().(*Line); ok {
		select {
		case l.lines <- line:
		default:
			l.overflow()
		}
	}
}

// listen shows a guest what is said, until the page is closed.
func (w web) listen(rw http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(w.closing, cancel)()

	lines := make(chan *Line, backlog)
	system := w.cluster.ActorSystem()
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &listener{lines, cancel} }))
	defer system.Root.Stop(pid) // of which the room hears

	room := GetRoomGrainClient(w.cluster, r.PathValue("room"))
	guest := &Guest{Name: r.URL.Query().Get("guest"), Listener: remote.ToProto(system, pid)}
	if _, err := room.EnterContext(ctx, guest); err != nil {
		http.Error(rw, err.Error(), status(err))
		return
	}
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-store")
	renew := time.NewTicker(renewal)
	defer renew.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case line := <-lines:
			err = write(rw, line)
		case <-renew.C:
			_, err = room.EnterContext(ctx, guest)
		}
		if err != nil {
			return // the browser connects again, as server-sent events do
		}
	}
}

// event is a line as the page gets it.
type event struct {
	Guest string `json:"guest,omitempty"`
	Text  string `json:"text"`
}

// write sends an event.
func write(rw http.ResponseWriter, line *Line) error {
	data, err := json.Marshal(event{line.Guest, line.Text})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(rw, "data: %s\n\n", data); err != nil {
		return err
	}
	return http.NewResponseController(rw).Flush()
}

// status gives the code of HTTP for an error of a call.
func status(err error) int {
	grain := new(cluster.GrainError)
	switch {
	case errors.Is(err, cluster.ErrInvalidIdentity), errors.As(err, &grain) && grain.Code == CodeInvalid:
		return http.StatusBadRequest
	default:
		return http.StatusServiceUnavailable
	}
}
