package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	answer "github.com/granary-go/granary/cluster/explanation"
	"github.com/granary-go/granary/internal/placement"
	"github.com/granary-go/granary/remote"
)

// startMember starts a member of a cluster called "shop", with grains of the
// kind Account that answer what they are told, and gives the address of its
// pings.
func startMember(t *testing.T) (*cluster.Cluster, string) {
	t.Helper()
	open, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := open.Addr().(*net.TCPAddr).Port
	provider := automanaged.NewWithConfig(time.Second, port).WithListener(
		func(context.Context, string) (net.Listener, error) { return open, nil })
	account := cluster.NewKind("Account", actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}))
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler))),
		cluster.Configure("shop", provider, remote.Configure("127.0.0.1", 0), account))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Shutdown(false); err != nil {
			t.Error(err)
		}
	})
	return c, open.Addr().String()
}

func TestExplain(t *testing.T) {
	member, pings := startMember(t)
	if _, err := member.Call("a/b", "Account", wrapperspb.String("")); err != nil {
		t.Fatal(err)
	}
	here := member.ActorSystem().Address()
	for name, c := range map[string]struct {
		args   []string
		status int
		want   []string
	}{
		"active": {
			[]string{"Account/a/b", "--hosts", pings, "--cluster", "shop"}, succeeded,
			[]string{"Account/a/b is active on " + here, "\n  slot ", "\n  owner ", "\n  entry ", "\n  host ", "running", "\n  history "},
		},
		"not active": {
			[]string{"Account/nobody", "--hosts", "127.0.0.1:1," + pings, "--cluster=shop"}, succeeded,
			[]string{"Account/nobody is not active\n"},
		},
		"no such kind": {
			[]string{"Acount/a", "--hosts", pings, "--cluster=shop"}, succeeded,
			[]string{"Acount/a is not active, and no active member hosts its kind\n"},
		},
		"nobody there": {
			[]string{"Account/a", "--hosts=127.0.0.1:1", "--cluster=shop", "--timeout=300ms"}, failed,
			[]string{`no member of cluster "shop" answered at 127.0.0.1:1 within 300ms: check --cluster and --hosts`},
		},
		"another cluster": {
			[]string{"Account/a", "--hosts", pings, "--cluster=bank", "--timeout=500ms"}, failed,
			[]string{`no member of cluster "bank" answered`},
		},
		"nonsense": {
			[]string{"Account", "--hosts=" + pings, "--timeout=-1s"}, misused,
			[]string{`Account names no grain: it is KIND/IDENTITY`, "--cluster is missing", "--timeout is -1s", "Run 'granary explain --help'"},
		},
		"bad host": {
			[]string{"Account/a", "--cluster=shop", "--hosts=nowhere"}, failed, []string{"host 1 of the list", "nowhere"},
		},
		"no hosts":      {[]string{"Account/a", "--cluster=shop", "--hosts="}, misused, []string{"--hosts is empty"}},
		"no grain":      {nil, misused, []string{"accepts 1 arg(s), received 0"}},
		"long identity": {[]string{"Account/" + strings.Repeat("x", 2000), "--cluster=shop"}, misused, []string{"the limit is 1024"}},
		"help":          {[]string{"--help"}, succeeded, []string{"granary explain Account/4711", "It activates nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			status := execute(t.Context(), append([]string{"explain"}, c.args...), nil, &out, &out)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in:\n%s", want, out.String())
				}
			}
		})
	}
	if n := len(member.Members()); n != 1 {
		t.Errorf("the view has %d members: the client became one", n)
	}
}

func TestExplainPrintsJSON(t *testing.T) {
	member, pings := startMember(t)
	if _, err := member.Call("a", "Account", wrapperspb.String("")); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if status := execute(t.Context(), []string{"explain", "Account/a", "--hosts", pings, "--cluster=shop", "--json"}, nil, &out, &errs); status != succeeded {
		t.Fatalf("status %d:\n%s", status, &errs)
	}
	var said answer.Explanation
	decoder := json.NewDecoder(strings.NewReader(out.String()))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil {
		t.Fatal(err)
	}
	if said.Owner == nil || said.Owner.Entry == nil || said.Owner.Entry.Host.ID != member.MemberID() || decoder.More() || errs.Len() > 0 {
		t.Errorf("%s\n%s", &out, &errs)
	}
}

// What is known is printed when somebody does not answer, and the exit status
// says that it is not all.
func TestExplainThatIsNotComplete(t *testing.T) {
	member, pings := startMember(t)
	ghost, err := automanaged.NewWithConfig(time.Second, 0, pings).Join(t.Context(), driver.Request{
		Cluster: "shop", BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler),
		Member: driver.Member{ID: "ghost", Address: "127.0.0.1:1", Versions: member.View().Members[0].Versions},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ghost.Close()
	view, err := ghost.Watch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	id, table := driver.Identity{Kind: "Account", Name: "a"}, placement.NewTable(view)
	for !table.OwnedBy(placement.SlotOf(id), "ghost") {
		id.Name += "a"
	}
	var out, errs strings.Builder
	status := execute(t.Context(), []string{"explain", id.String(), "--hosts", pings, "--cluster=shop"}, nil, &out, &errs)
	if status != incomplete || !strings.Contains(errs.String(), "granary: explain: 2 of those who were asked did not answer") ||
		!strings.Contains(out.String(), "its owner did not answer") || !strings.Contains(out.String(), "127.0.0.1:1 (ghost), asked as owner") {
		t.Errorf("status %d:\n%s\n%s", status, &out, &errs)
	}
}
