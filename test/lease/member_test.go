package lease

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/certtest"
	"github.com/granary-go/granary/remote"
	"github.com/granary-go/granary/test/fleet"
)

const (
	clusterName = "lease"

	leasedKind = "Leased"
	strictKind = "Strict"
	bestKind   = "BestEffort"

	// On automanaged a member that is silent for this many intervals is taken for dead. Both leave room for a machine
	// that has other things to do: two seconds.
	refresh = 500 * time.Millisecond
	missed  = 4
	// saving bounds each wait of a strict counter for its store.
	saving = 5 * time.Second

	roleVariable = "GRANARY_LEASE_ROLE"
	// What a process prints, before an id or a phase.
	memberWord = "member " // it has joined under this id, for the first time or again
	leaseWord  = "lease "
	blocksWord = "blocks " // an activation whose handler waits for SIGUSR1
	countsWord = "counts " // what it has refused and held back, at its end
	callsWord  = "calls"   // a client: its load has begun
)

// A role is what a process is told.
type role struct {
	Diary    string        `json:"diary"`
	Endpoint string        `json:"endpoint,omitempty"` // of etcd; automanaged without
	TTL      time.Duration `json:"ttl,omitempty"`
	PingPort int           `json:"pingPort,omitempty"` // of automanaged
	Hosts    []string      `json:"hosts,omitempty"`
	TLS      string        `json:"tls,omitempty"` // the folder of its certificate; none without

	// A client has a name, and counters that it calls: some over and over, and some once, so that they block.
	Client string        `json:"client,omitempty"`
	Calls  []counterName `json:"calls,omitempty"`
	Blocks []counterName `json:"blocks,omitempty"`
}

// remote is where the process listens, with its certificate if it has one.
func (r role) remote() *remote.Config {
	var opts []remote.ConfigOption
	if r.TLS != "" {
		f := certtest.FilesIn(r.TLS)
		opts = append(opts, remote.WithTLS(remote.TLSFiles(f.Certificate, f.Key, f.Authorities)))
	}
	return remote.Configure("127.0.0.1", 0, opts...)
}

func TestMain(m *testing.M) { fleet.Main(m, roleVariable, play) }

// play is the life of a process, until it is asked to end: then a member leaves gracefully.
func play(r role) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	diary, err := fleet.OpenDiary(r.Diary)
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, nil))))
	run := playMember
	if r.Client != "" {
		run = playClient
	}
	return errors.Join(run(ctx, r, system, diary), system.ShutdownContext(context.Background()), diary.Close())
}

func playMember(ctx context.Context, r role, system *actor.ActorSystem, diary *fleet.Diary) error {
	release, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR1)
	defer stop()
	props := func(strict bool) *actor.Props {
		return actor.PropsFromProducer(func() actor.Actor { return &counter{diary: diary, release: release.Done(), strict: strict} })
	}
	// What a kind promises by default is what the provider can give.
	opts := []cluster.Option{cluster.NewKind(leasedKind, props(false)), cluster.NewKind(bestKind, props(false), cluster.WithBestEffort())}
	provider := driver.Provider(automanaged.NewWithConfig(refresh, r.PingPort, r.Hosts...).WithMissedPings(missed).WithListener(fleet.Inherited()))
	if r.Endpoint != "" {
		client, err := clientv3.New(config(r.Endpoint))
		if err != nil {
			return err
		}
		defer client.Close()
		provider = provide(r.Endpoint, r.TTL)
		opts = append(opts, cluster.NewKind(strictKind, props(true), cluster.WithStrict(store(client))))
	}
	c := cluster.New(system, cluster.Configure(clusterName, provider, r.remote(), opts...))
	tell(c)
	if err := c.StartContext(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	err := c.Shutdown(true)
	fmt.Printf("%s%+v\n", countsWord, c.Counters())
	return err
}

// tell prints under which ids this process joins, and what becomes of its leases.
func tell(c *cluster.Cluster) {
	var last driver.MemberID
	actor.SubscribeTo(c.ActorSystem().EventStream, func(e *cluster.ClusterTopology) {
		id := c.MemberID()
		if _, in := e.View.Member(id); in && id != last {
			last = id
			fmt.Println(memberWord + string(id))
		}
	})
	actor.SubscribeTo(c.ActorSystem().EventStream, func(e *cluster.MemberLease) {
		fmt.Println(leaseWord+e.Phase.String(), e.Member)
	})
}

// playClient calls what it is told to.
func playClient(ctx context.Context, r role, system *actor.ActorSystem, diary *fleet.Diary) error {
	c := cluster.New(system, cluster.Configure(clusterName, provide(r.Endpoint, r.TTL), r.remote()))
	if err := c.StartClientContext(ctx); err != nil {
		return err
	}
	l := begin(ctx, r.Client, c, diary, pace, r.Calls)
	var blocked []chan error
	for _, counter := range r.Blocks {
		done := make(chan error, 1)
		blocked = append(blocked, done)
		go func() {
			_, err := call(c, diary, r.Client, counter, wrapperspb.String("block"), cluster.WithTimeout(longCall))
			done <- err
		}()
	}
	fmt.Println(callsWord)
	for i, done := range blocked {
		if err := <-done; err != nil {
			fmt.Printf("the call of %s failed: %v\n", r.Blocks[i], err)
		}
	}
	<-ctx.Done()
	l.Stop()
	fmt.Println("failed calls:", l.Since().Text())
	return c.Shutdown(true)
}

// counter adds what it is sent, and answers with its activation and the sum. A text has it wait for SIGUSR1 in between.
// A strict one keeps the sum in the store.
type counter struct {
	diary   *fleet.Diary
	release <-chan struct{}
	strict  bool
	sum     int64
}

func (a *counter) Receive(ctx actor.Context) {
	id := ctx.Self().Id
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.diary.Write(started, id, now())
	case *actor.Stopped:
		a.diary.Write(stopped, id)
	case *wrapperspb.Int64Value:
		a.diary.Write(turn, id, now())
		a.add(ctx, m.Value, func() {})
	case *wrapperspb.StringValue:
		a.diary.Write(turn, id, now())
		a.add(ctx, 1, func() {
			fmt.Println(blocksWord + id)
			<-a.release
		})
	}
}

func (a *counter) add(ctx actor.Context, n int64, wait func()) {
	id := ctx.Self().Id
	if !a.strict {
		wait()
		a.sum += n
		a.diary.Write(done, id, fmt.Sprint(a.sum))
		ctx.Respond(wrapperspb.String(fmt.Sprint(id, " ", a.sum)))
		return
	}
	sum, err := a.store(ctx, n, wait)
	if err != nil {
		a.diary.Write(unsaved, id, reason(err))
		ctx.Respond(&cluster.GrainError{Code: cluster.CodeGrain, Message: err.Error()})
		return
	}
	a.diary.Write(done, id, fmt.Sprint(sum))
	ctx.Respond(wrapperspb.String(fmt.Sprint(id, " ", sum)))
}

// Why a write was not acknowledged, as the diary has it.
const (
	isFenced  = "fenced"
	isUnknown = "unknown"
)

func reason(err error) string {
	if errors.Is(err, driver.ErrFenced) {
		return isFenced
	}
	return isUnknown
}

// store adds to the sum in the store.
func (a *counter) store(ctx actor.Context, n int64, wait func()) (int64, error) {
	state := cluster.StateOf(ctx)
	loading, cancel := context.WithTimeout(context.Background(), saving)
	defer cancel()
	text, err := state.Load(loading)
	if err != nil {
		return 0, err
	}
	v, err := parseValue(text)
	if err != nil {
		return 0, err
	}
	wait()
	v = v.add(state.Fence(), n)
	within, cancel := context.WithTimeout(context.Background(), saving)
	defer cancel()
	if err := state.Save(within, []byte(v.String())); err != nil {
		return 0, err
	}
	return v.sum(), nil
}

// value is what the store keeps of a counter: how far each activation came, oldest first.
type value []position

// parseValue reads what String has written; nothing is a counter that was never saved.
func parseValue(text []byte) (v value, err error) {
	for line := range strings.Lines(string(text)) {
		var p position
		fence, sum, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscanf(fence, "%x.%x", &p.fence.Term, &p.fence.Seq); err != nil {
			return nil, fmt.Errorf("the line %q: %w", line, err)
		}
		if p.sum, err = strconv.ParseInt(sum, 10, 64); err != nil {
			return nil, fmt.Errorf("the line %q: %w", line, err)
		}
		v = append(v, p)
	}
	return v, nil
}

// String has a line for each activation.
func (v value) String() string {
	var b strings.Builder
	for _, p := range v {
		fmt.Fprintln(&b, p.fence, p.sum)
	}
	return b.String()
}

// add is the value after an activation has added to it.
func (v value) add(f driver.Fence, n int64) value {
	sum := v.sum() + n
	if i := len(v) - 1; i >= 0 && v[i].fence == f {
		return append(v[:i:i], position{f, sum})
	}
	return append(slices.Clip(v), position{f, sum})
}

// sum is what was counted.
func (v value) sum() int64 {
	if len(v) == 0 {
		return 0
	}
	return v[len(v)-1].sum
}

// extends reports whether v can have come of was: it has all that the activations before had counted.
func (v value) extends(was value) bool {
	if len(was) == 0 {
		return true
	}
	last := len(was) - 1
	if len(v) <= last || v[last].fence != was[last].fence || v[last].sum < was[last].sum {
		return false
	}
	for i, p := range v {
		if i < last && p != was[i] || i > 0 && (p.fence.Compare(v[i-1].fence) <= 0 || p.sum <= v[i-1].sum) {
			return false
		}
	}
	return true
}

func TestValue(t *testing.T) {
	one, two := driver.Fence{Term: 1, Seq: 1}, driver.Fence{Term: 1, Seq: 0x1f}
	v := value{}.add(one, 1).add(one, 1).add(two, 1)
	if got, err := parseValue([]byte(v.String())); err != nil || got.String() != v.String() || got.sum() != 3 || len(got) != 2 {
		t.Errorf("%q: %v, %v", v.String(), got, err)
	}
	for was, extends := range map[string]bool{
		"": true, value{{one, 1}}.String(): true, value{{one, 2}}.String(): true, v.String(): true,
		value{{one, 3}}.String(): false, value{{two, 2}}.String(): false, value{{one, 1}, {two, 2}}.String(): false, v.add(driver.Fence{Term: 2}, 1).String(): false,
	} {
		if old, err := parseValue([]byte(was)); err != nil || v.extends(old) != extends {
			t.Errorf("%q extends %q: %t, %v", v.String(), was, !extends, err)
		}
	}
	for _, bad := range []string{"1\n", "1.1 x\n", "x.1 1\n"} {
		if _, err := parseValue([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a value", bad)
		}
	}
}
