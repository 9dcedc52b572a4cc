package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cmd/granary/internal/demopb"
	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote"
)

// TestScripts runs the scripts of testdata/script, each with a cluster of its own within
// this process and the command as a process. Beside what every script has there are:
//
//	start NAME open|look|mute|tls   a member, whose address is in $NAME from then on
//	ghost NAME                      a member of the view where nobody listens
//	stop NAME                       the member shuts down
//	say KIND IDENTITY [N]           a call of a grain; of N grains, numbered
//	exits STATUS COMMAND…           as exec, with that exit status
//	after PATTERN COMMAND…          runs the command again until its output holds PATTERN
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			w := &world{t: t, registry: clustertest.NewRegistry(), members: make(map[string]*cluster.Cluster), folder: env.WorkDir}
			env.Values[worldKey{}] = w
			env.Defer(w.end)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).start(ts, args) },
			"ghost": func(ts *testscript.TestScript, _ bool, args []string) { of(ts).ghost(ts, args) },
			"stop":  func(ts *testscript.TestScript, _ bool, args []string) { of(ts).stop(ts, args) },
			"say":   func(ts *testscript.TestScript, _ bool, args []string) { of(ts).say(ts, args) },
			"exits": exits,
			"after": after,
		},
	})
}

type worldKey struct{}

func of(ts *testscript.TestScript) *world {
	w, _ := ts.Value(worldKey{}).(*world)
	return w
}

// world is the cluster of one script.
type world struct {
	t        *testing.T
	registry *clustertest.Registry
	folder   string

	mu      sync.Mutex // guards what follows
	members map[string]*cluster.Cluster
	ends    []func()
	tls     remote.ConfigOption
}

// accountant is a counter that may refuse, and says what it likes.
type accountant struct {
	cluster.Grain

	count uint64
}

func (a *accountant) Terminate()                   {}
func (a *accountant) ReceiveDefault(actor.Context) {}

func (a *accountant) Add(_ *demopb.AddRequest, _ cluster.GrainContext) (*demopb.AddReply, error) {
	if a.ID() == "bad" {
		return nil, errors.New("no \x1b[31mcredit")
	}
	a.count++
	return &demopb.AddReply{Count: a.count, Activation: "\u009b31m\u202e" + a.ID()}, nil
}

func (w *world) start(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: start NAME open|look|mute|tls")
	}
	echo := cluster.NewKind("Echo", actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
			ctx.Respond(m)
		}
	}))
	opts := []cluster.Option{echo, demopb.NewCounterKind(func() demopb.Counter { return &accountant{} })}
	var remoteOpts []remote.ConfigOption
	switch args[1] {
	case "open":
		opts = append(opts, admin.Serve(admin.Allow(admin.Call, admin.Drain, admin.Leave)))
	case "look":
		opts = append(opts, admin.Serve())
	case "tls":
		opts = append(opts, admin.Serve())
		remoteOpts = append(remoteOpts, w.certificates(ts))
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
	c := cluster.New(system, cluster.Configure("shop", w.registry.Provider(), remote.Configure("127.0.0.1", 0, remoteOpts...), opts...))
	ts.Check(c.Start())
	w.mu.Lock()
	w.members[args[0]] = c
	w.mu.Unlock()
	ts.Setenv(args[0], system.Address())
	ts.Setenv(args[0]+"_ID", string(c.MemberID()))
	if ts.Getenv(memberVariable) == "" {
		ts.Setenv(memberVariable, system.Address())
	}
	w.settle(ts)
}

// certificates are for all members of a script and for whoever asks, in files of its folder:
// tls.crt, tls.key and ca.crt; and of an authority that nobody trusts, in the folder other.
func (w *world) certificates(ts *testscript.TestScript) remote.ConfigOption {
	if w.tls == nil {
		ca, stranger := certtest.NewAuthority(w.t), certtest.NewAuthority(w.t)
		files := certtest.FilesIn(w.folder)
		files.Write(w.t, ca.Issue("127.0.0.1"), ca)
		other := filepath.Join(w.folder, "other")
		ts.Check(os.MkdirAll(other, 0o755))
		certtest.FilesIn(other).Write(w.t, stranger.Issue("127.0.0.1"), stranger)
		w.tls = remote.WithTLS(remote.TLSFiles(files.Certificate, files.Key, files.Authorities))
	}
	return w.tls
}

// settle waits until all members are ready and see each other.
func (w *world) settle(ts *testscript.TestScript) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, c := range w.members {
		for len(c.Members()) != len(w.registry.View().Members) || len(c.Inspect().Unready(ctx)) > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				ts.Fatalf("the cluster does not settle: %v", c.Inspect().Unready(context.Background()))
			}
		}
	}
}

func (w *world) ghost(ts *testscript.TestScript, args []string) {
	session, err := w.registry.Provider().Join(context.Background(), driver.Request{
		Cluster: "shop", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
			ID: driver.MemberID(args[0]), Address: "127.0.0.1:1", Versions: driver.Versions{Min: 1, Max: 1},
			Kinds: []driver.Kind{{Name: "<b>\x1b[2J", Guarantee: 9}}, State: driver.State(7),
		},
	})
	ts.Check(err)
	w.ends = append(w.ends, func() { _ = session.Close() })
}

func (w *world) stop(ts *testscript.TestScript, args []string) {
	w.mu.Lock()
	c := w.members[args[0]]
	w.mu.Unlock()
	ts.Check(c.Shutdown(false))
}

func (w *world) say(ts *testscript.TestScript, args []string) {
	n := 1
	if len(args) > 2 {
		var err error
		n, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	identity, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	for _, c := range w.members {
		for i := range n {
			id := identity
			if n > 1 {
				id = fmt.Sprintf("%s-%04d", identity, i)
			}
			_, err := c.Call(id, args[0], wrapperspb.String(id))
			ts.Check(err)
		}
		return
	}
}

func (w *world) end() {
	for _, c := range w.members {
		_ = c.Shutdown(false)
	}
	for _, end := range w.ends {
		end()
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func after(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(20 * time.Second); ; {
		if err := ts.Exec(args[1], args[2:]...); err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q does not come", args[0])
		}
	}
}
