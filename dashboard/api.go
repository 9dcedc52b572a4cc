package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// maxBody bounds what a viewer sends.
const maxBody = 4096

// asked answers a question of a viewer's as JSON; an error as {"error": …} and its status.
func (d *Dashboard) asked(answer func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := any(nil), readWhole(w, r)
		if err == nil {
			out, err = d.inTurn(r, answer)
		}
		if err != nil {
			respond(w, codeOf(err), refusal{words(err)})
			return
		}
		respond(w, http.StatusOK, out)
	}
}

// readWhole reads what a viewer sends, within patience. Who sends slowly, or reads so, takes
// none of the questions' places.
func readWhole(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	// A server that cannot bound it has connections that do not block, as in tests.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience))
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return status.Errorf(codes.DeadlineExceeded, "dashboard: what is to be done did not come within %v: %v", patience, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// inTurn answers a question if there is a place for it.
func (d *Dashboard) inTurn(r *http.Request, answer func(context.Context, *http.Request) (any, error)) (any, error) {
	select {
	case d.questions <- struct{}{}:
		defer func() { <-d.questions }()
	default:
		return nil, status.Error(codes.ResourceExhausted, "dashboard: it answers as many questions as it may already: try again")
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(d.ctx, cancel)
	defer stop()
	return answer(ctx, r)
}

type refusal struct {
	Error string `json:"error"`
}

func respond(w http.ResponseWriter, code int, out any) {
	data, err := json.Marshal(out)
	if err != nil {
		http.Error(w, "dashboard: the answer cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(data) // a viewer that is gone needs no answer
}

func codeOf(err error) int {
	switch status.Code(err) {
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.Unavailable, codes.ResourceExhausted:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	default:
		return http.StatusBadGateway
	}
}

// parameter gives a parameter of the query that is a word of the cluster's.
func parameter(r *http.Request, name string, most int) (string, error) {
	text := r.URL.Query().Get(name)
	switch {
	case len(text) > most:
		return "", status.Errorf(codes.InvalidArgument, "dashboard: %s has %d bytes, the limit is %d", name, len(text), most)
	case !utf8.ValidString(text):
		return "", status.Errorf(codes.InvalidArgument, "dashboard: %s is not valid UTF-8", name)
	}
	return text, nil
}

// parameters gives several, each within its bound.
func parameters(r *http.Request, most map[string]int) (map[string]string, error) {
	out := make(map[string]string, len(most))
	for name, bound := range most {
		text, err := parameter(r, name, bound)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}

// explained is where a grain is, and why.
type explained struct {
	Summary string `json:"summary"`
	// Explanation is an explanation.Explanation.
	Explanation json.RawMessage `json:"explanation"`
	// Grain is what the listing of grains has of it; nil if it is not active, or was not told.
	Grain    *grain    `json:"grain,omitempty"`
	Problems []problem `json:"problems,omitempty"`
}

func (d *Dashboard) explain(ctx context.Context, r *http.Request) (any, error) {
	q, err := parameters(r, map[string]int{"kind": cluster.MaxKindLength, "identity": cluster.MaxIdentityLength})
	if err != nil {
		return nil, err
	}
	e, err := d.admin.Explain(ctx, &pb.ExplainRequest{Kind: q["kind"], Identity: q["identity"]})
	if err != nil {
		return nil, err
	}
	out := &explained{Summary: e.GetSummary(), Explanation: json.RawMessage(e.GetJson()), Problems: problems(e.GetFailures())}
	if !json.Valid(out.Explanation) {
		return nil, status.Error(codes.Internal, "dashboard: the member's explanation is no JSON: it is of another version")
	}
	// An identity is the first of those that begin with it.
	page, err := d.admin.Grains(ctx, &pb.GrainsRequest{Kind: q["kind"], Prefix: q["identity"], Limit: 1})
	if err != nil {
		out.Problems = append(out.Problems, problem{Why: "how much it has handled was not told: " + words(err)})
		return out, nil
	}
	for _, g := range page.GetGrains() {
		if g.GetIdentity() == q["identity"] {
			shown := grainOf(g)
			out.Grain = &shown
		}
	}
	return out, nil
}

func problems(failures []*pb.Failure) (out []problem) {
	for _, f := range failures[:min(len(failures), maxProblems)] {
		p := problem{Why: short(f.GetWhy(), maxText)}
		if f.GetMember() != nil {
			who := refOf(f.GetMember())
			p.Member = &who
		}
		out = append(out, p)
	}
	return out
}

// listing is a page of grains.
type listing struct {
	Grains   []grain   `json:"grains"`
	Next     string    `json:"next,omitempty"`
	Active   int64     `json:"active"`
	Problems []problem `json:"problems,omitempty"`
}

type grain struct {
	Kind     string   `json:"kind"`
	Identity string   `json:"identity"`
	Member   ref      `json:"member"`
	Token    string   `json:"token"`
	Handled  big      `json:"handled"`
	Rate     *float64 `json:"rate,omitempty"`
}

// grainOf keeps the identity whole: it is looked up by it.
func grainOf(g *pb.Grain) grain {
	return grain{Kind: g.GetKind(), Identity: g.GetIdentity(), Member: refOf(g.GetMember()), Token: short(g.GetToken(), maxLabel), Handled: big(g.GetHandled())}
}

func (d *Dashboard) grains(ctx context.Context, r *http.Request) (any, error) {
	q, err := parameters(r, map[string]int{
		"kind": cluster.MaxKindLength, "prefix": cluster.MaxIdentityLength, "member": maxText, "after": maxBody, "limit": 10, "busiest": 10,
	})
	if err != nil {
		return nil, err
	}
	limit := uint64(defaultPage)
	if q["limit"] != "" {
		if limit, err = strconv.ParseUint(q["limit"], 10, 32); err != nil || limit < 1 || limit > MaxPage {
			return nil, status.Errorf(codes.InvalidArgument, "dashboard: limit is %q: choose from 1 to %d", q["limit"], MaxPage)
		}
	}
	busiest := q["busiest"] != ""
	page, err := d.admin.Grains(ctx, &pb.GrainsRequest{
		Kind: q["kind"], Prefix: q["prefix"], Member: q["member"], After: q["after"], Limit: uint32(limit), Busiest: busiest,
	})
	if err != nil {
		return nil, err
	}
	out := &listing{Grains: []grain{}, Next: page.GetNext(), Active: page.GetActive(), Problems: problems(page.GetFailures())}
	for _, g := range page.GetGrains()[:min(len(page.GetGrains()), MaxPage)] {
		shown := grainOf(g)
		if rate := g.GetRate(); busiest {
			shown.Rate = &rate
		}
		out.Grains = append(out.Grains, shown)
	}
	return out, nil
}

// operate does something to a member, if that is allowed.
func (d *Dashboard) operate(ctx context.Context, r *http.Request) (any, error) {
	var q struct {
		Operation admin.Operation `json:"operation"`
		Member    string          `json:"member"`
	}
	// A form of another page cannot send this type without being asked about first.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, status.Error(codes.InvalidArgument, "dashboard: what is to be done is sent as application/json")
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "dashboard: what is to be done is no JSON: %v", err)
	}
	if !slices.Contains(d.config.allowed, q.Operation) {
		return nil, status.Errorf(codes.PermissionDenied,
			"dashboard: %q is not allowed here: its program allows it by dashboard.WithAllow, granary dashboard by --allow", short(string(q.Operation), maxLabel))
	}
	switch q.Operation {
	case admin.Drain:
		said, err := d.admin.Drain(ctx, &pb.DrainRequest{Member: q.Member})
		if err != nil {
			return nil, err
		}
		return done{fmt.Sprintf("%s takes nothing new; grains that go on there: %d", refOf(said.GetMember()).called(), said.GetActive())}, nil
	case admin.Leave:
		said, err := d.admin.Leave(ctx, &pb.LeaveRequest{Member: q.Member})
		if err != nil {
			return nil, err
		}
		return done{refOf(said.GetMember()).called() + " has begun to leave"}, nil
	default:
		return nil, status.Error(codes.Unimplemented, "dashboard: it does not do this")
	}
}

type done struct {
	Done string `json:"done"`
}
