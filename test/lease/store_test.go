package lease

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/etcd"
	"github.com/granary-go/granary/cluster/etcd/etcdtest"
)

const (
	shortTTL    = 2 * time.Second
	statePrefix = "/lease/state"
)

func startEtcd(t *testing.T) *etcdtest.Server {
	t.Helper()
	return etcdtest.Start(t)
}

// config is how all processes reach etcd.
func config(endpoint string) clientv3.Config {
	return clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()}
}

func provide(endpoint string, ttl time.Duration) driver.Provider {
	return etcd.New(config(endpoint), etcd.WithTTL(ttl))
}

func store(client *clientv3.Client) driver.FencedStore {
	return etcd.NewFencedStore(client, statePrefix)
}

// checkStore reads, from etcd's own history, all that was ever stored: a write of an activation never comes after one
// of its successor, and none loses what was written before it. In the end each counter has what was acknowledged, and
// not more than was called for.
func checkStore(t *testing.T, server *etcdtest.Server, told *chronicle) {
	t.Helper()
	writes, tokens, values := 0, make(map[counterName]string), make(map[counterName]value)
	for _, kv := range versions(t, server.Client(t)) {
		counter := counterName(strings.TrimPrefix(kv[0], statePrefix+"/"))
		token, text, _ := strings.Cut(kv[1], "\n")
		v, err := parseValue([]byte(text))
		switch {
		case err != nil:
			t.Errorf("%s: %v", counter, err)
		case token < tokens[counter]:
			t.Errorf("%s was written with token %s after token %s", counter, token, tokens[counter])
		case !v.extends(values[counter]):
			t.Errorf("%s: %q was written after %q", counter, v, values[counter])
		}
		if v.sum() != values[counter].sum() {
			writes++
		}
		tokens[counter], values[counter] = token, v
	}
	for counter, h := range told.counters {
		if kind, _ := counter.Split(); kind != strictKind {
			continue
		}
		v := values[counter]
		if final := v.sum(); int64(len(h.replies)) > final || final > int64(h.calls) {
			t.Errorf("%s: %d calls acknowledged, %d in the store, %d made", counter, len(h.replies), final, h.calls)
		}
		for _, p := range h.replies {
			if !v.has(p) {
				t.Errorf("%s: the reply %d of token %s was accepted, and is not in the store: %q", counter, p.sum, p.fence, v)
			}
		}
	}
	t.Logf("%d strict counters were written %d times", len(values), writes)
}

// has reports whether an activation has come so far.
func (v value) has(p position) bool {
	i := slices.IndexFunc(v, func(q position) bool { return q.fence == p.fence })
	return i >= 0 && p.sum <= v[i].sum && (i == 0 || p.sum > v[i-1].sum)
}

// versions gives keys and values under the prefix of the store as they were written, in order.
func versions(t *testing.T, client *clientv3.Client) (all [][2]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	now, err := client.Get(ctx, statePrefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		t.Fatal(err)
	}
	var last int64
	for _, kv := range now.Kvs {
		last = max(last, kv.ModRevision)
	}
	for answer := range client.Watch(ctx, statePrefix, clientv3.WithPrefix(), clientv3.WithRev(1)) {
		if err := answer.Err(); err != nil {
			t.Fatal(err)
		}
		for _, event := range answer.Events {
			all = append(all, [2]string{string(event.Kv.Key), string(event.Kv.Value)})
			if event.Kv.ModRevision >= last {
				return all
			}
		}
	}
	t.Fatalf("the history of the store ends before revision %d", last)
	return nil
}
