package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/clustertest"
	"github.com/granary-go/granary/cluster/health"
	"github.com/granary-go/granary/test/chaos/history"
)

// The kinds of a member. Register, Sum, List and Account keep what they have in a store that refuses an activation that has a
// successor; the others have it in memory.
const (
	registerKind = "Register"
	sumKind      = "Sum"
	listKind     = "List"
	accountKind  = "Account"
	tellerKind   = "Teller" // moves money between accounts
	tallyKind    = "Tally"
	briefKind    = "Brief" // passivated when it was idle for a moment
	looseKind    = "Loose" // best effort

	idle = 150 * time.Millisecond // of Brief
)

// member is a process that hosts grains and sends messages to the other members.
type member struct {
	holdings holdings
	cluster  *cluster.Cluster
	recorder *history.Recorder
	courier  *courier
}

func newMember(ctx context.Context, r role, system *actor.ActorSystem, recorder *history.Recorder) (player, error) {
	store, err := clustertest.OpenFencedDir(filepath.Join(r.Folder, "state"))
	if err != nil {
		return nil, err
	}
	m := &member{holdings: holdings{process: r.Name, folder: r.Folder, recorder: recorder}, recorder: recorder}
	keeper := func(do keeping) *actor.Props {
		return actor.PropsFromProducer(func() actor.Actor { return &keeper{recorder: recorder, store: store, strict: r.leased(), do: do} })
	}
	// Without leases a keeper holds its token against the store by itself.
	var strict []cluster.KindOption
	if r.leased() {
		strict = []cluster.KindOption{cluster.WithStrict(store)}
	}
	counter := actor.PropsFromProducer(func() actor.Actor { return &counter{recorder: recorder} })
	opts := []cluster.Option{
		admin.Serve(),
		cluster.NewKind(registerKind, keeper(register), strict...),
		cluster.NewKind(sumKind, keeper(sum), strict...),
		cluster.NewKind(listKind, keeper(list), strict...),
		cluster.NewKind(accountKind, keeper(account), strict...),
		cluster.NewKind(tellerKind, actor.PropsFromProducer(func() actor.Actor { return &teller{m} })),
		cluster.NewKind(tallyKind, counter),
		cluster.NewKind(briefKind, counter, cluster.WithPassivation(idle)),
		cluster.NewKind(looseKind, counter, cluster.WithBestEffort()),
	}
	if m.cluster, err = configure(r, system, opts...); err != nil {
		return nil, err
	}
	tell(m.cluster)
	if m.courier, err = newCourier(r, system, recorder); err != nil {
		return nil, err
	}
	return m, m.cluster.StartContext(ctx)
}

func (m *member) do(word string) error {
	switch word {
	case toBegin:
		m.courier.begin()
	case toRest:
		m.courier.rest()
	case toWeigh:
		n := 0
		for _, active := range m.cluster.ActiveGrains() {
			n += active
		}
		fmt.Println(hostsWord + strconv.Itoa(n))
	case toSettle:
		return m.settle()
	case toGauge, toGaugeAfter:
		return errors.Join(m.passivated(), m.holdings.take(word == toGaugeAfter))
	default:
		return errors.New("a member does no such thing")
	}
	return nil
}

// settle waits until the member is ready.
func (m *member) settle() error {
	return within(patience, func(ctx context.Context) (missing string) {
		return strings.Join(health.Ready(ctx, m.cluster), "; ")
	})
}

// passivated waits until no grain is active that has to go when it is idle.
func (m *member) passivated() error {
	return within(settling, func(context.Context) (missing string) {
		if n := m.cluster.ActiveGrains()[briefKind]; n > 0 {
			missing = fmt.Sprintf("%d grains are active that were to be passivated after %s", n, idle)
		}
		return missing
	})
}

// within looks again and again until nothing is missing. The time counts from now, when nothing is broken any more.
func within(limit time.Duration, look func(ctx context.Context) (missing string)) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		missing := look(ctx)
		if missing == "" {
			return nil
		}
		if !pause(ctx, gaugePause) {
			return fmt.Errorf("after %s: %s", limit, missing)
		}
	}
}

// finish leaves. While the network is broken a graceful shutdown may come to its end without having been one.
func (m *member) finish() error {
	m.courier.rest()
	if err := m.cluster.Shutdown(true); err != nil {
		fmt.Println(badlyWord, err)
	}
	return nil
}
