package health

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/granary-go/granary/cluster"
)

// patience bounds what an answer waits for the process itself: a probe of Kubernetes waits
// a second, unless it is told otherwise.
const patience = 800 * time.Millisecond

// maxReason bounds what an answer says, in bytes.
const maxReason = 1000

// Live says why a process is of no use any more; nothing as long as it is, or will be.
func Live(c *cluster.Cluster) (why []string) {
	if c.Inspect().Failed() {
		return []string{"its start has failed, or its cluster is shut down: start the process again"}
	}
	return nil
}

// Ready says why a process should be given no work, within the second that a probe
// waits; nothing if it is ready.
func Ready(ctx context.Context, c *cluster.Cluster) (why []string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.Inspect().Unready(ctx)
}

// Handler answers paths that end with /live and /ready: 200, or 503 with the reasons, a
// line each. Who accepts application/json gets {"status": "ready", "why": []}. Other
// paths are not found.
//
// However many ask at the same time, the process looks once. Connections are the server's: give
// it a ReadHeaderTimeout and MaxHeaderBytes.
func Handler(c *cluster.Cluster) http.Handler {
	looks := &shared{cluster: c}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var why []string
		switch word := path.Base(r.URL.Path); {
		case word != "live" && word != "ready":
			http.Error(w, "health: there are /live and /ready", http.StatusNotFound)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "health: GET or HEAD", http.StatusMethodNotAllowed)
			return
		case word == "live":
			why = Live(c)
		default:
			why = looks.ready(r.Context())
		}
		answer(w, r, path.Base(r.URL.Path), why)
	})
}

// answered is an answer in JSON.
type answered struct {
	Status string   `json:"status"`
	Why    []string `json:"why"`
}

func answer(w http.ResponseWriter, r *http.Request, word string, why []string) {
	code := http.StatusOK
	if len(why) > 0 {
		code, word = http.StatusServiceUnavailable, "not "+word
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		h.Set("Content-Type", "application/json")
		w.WriteHeader(code)
		body, err := json.Marshal(answered{word, append([]string{}, why...)})
		if err == nil {
			_, _ = w.Write(append(body, '\n')) // who asked may be gone
		}
		return
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	text := strings.Join(append([]string{word}, why...), "\n")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	_, _ = io.WriteString(w, text+"\n") //nolint:gosec // plain text, which browsers are told to take for nothing else
}
