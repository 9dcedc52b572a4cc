package granary_test

import (
	"os"
	"strings"
	"testing"
)

// modulePath is the import path of the root. Every module of the house lies below it.
const modulePath = "github.com/granary-go/granary"

// A room is a folder with what is below it, up to the next room.
type room struct {
	path  string // slashed, from the root; "x/*" makes a room of each folder of x
	floor int
	own   bool // its packages are in a go.mod of their own, or in several
	std   bool // it reaches the standard library and our own rooms only, through however many imports
	pure  bool // a step machine: see impure
	kit   bool // helps tests; nothing else may import it
	// backend rooms see the cluster through cluster/driver alone: a third party must be able to write what we write.
	backend bool
	// machines are what a backend may import besides, because nobody else does: pure machines that are its own, and
	// that stand with the others so that they are held to the same rules.
	machines []string
}

// floors says who may import whom. What a room may import, of our own:
//
//   - itself;
//   - rooms on lower floors, never siblings on its own: what two siblings share lies below both;
//   - no kit, unless it is one.
//
// Tests are freer, because nobody imports them: they may import rooms of their own floor, and every kit.
var floors = []room{
	{floor: 7, path: "."},
	{floor: 7, path: "cmd/granary", own: true},
	{floor: 7, path: "examples", own: true},
	{floor: 7, path: "bench", own: true},
	{floor: 7, path: "test", own: true},
	{floor: 7, path: "tools", own: true},

	{floor: 6, path: "dashboard"},
	{floor: 6, path: "cluster/gateway", own: true},
	{floor: 6, path: "cluster/pubsub"},
	{floor: 6, path: "contrib/otel", own: true},
	{floor: 6, path: "cmd/protoc-gen-go-grain"},

	{floor: 6, path: "cluster/etcd/etcdtest", own: true, kit: true},
	{floor: 6, path: "cluster/consul/consultest", own: true, kit: true},
	{floor: 6, path: "cluster/zk/zktest", own: true, kit: true},
	{floor: 6, path: "cluster/k8s/k8stest", own: true, kit: true},
	{floor: 6, path: "cluster/redis/redistest", own: true, kit: true},
	{floor: 6, path: "cluster/mongo/mongotest", own: true, kit: true},

	{floor: 5, path: "cluster/automanaged", backend: true, machines: []string{"internal/view"}},
	{floor: 5, path: "cluster/etcd", own: true, backend: true},
	{floor: 5, path: "cluster/consul", own: true, backend: true},
	{floor: 5, path: "cluster/zk", own: true, backend: true},
	{floor: 5, path: "cluster/k8s", own: true, backend: true},
	{floor: 5, path: "cluster/redis", own: true, backend: true},
	{floor: 5, path: "cluster/mongo", own: true, backend: true},
	{floor: 5, path: "cluster/admin"},
	{floor: 5, path: "cluster/health"},
	{floor: 5, path: "cluster/clustertest", kit: true},
	{floor: 5, path: "cluster/drivertest", kit: true},
	{floor: 6, path: "internal/lookuptest", kit: true},

	{floor: 4, path: "cluster"},

	{floor: 3, path: "cluster/record", std: true},

	{floor: 3, path: "cluster/internal/lookup"},
	{floor: 3, path: "remote"},
	{floor: 3, path: "router", std: true},
	{floor: 3, path: "actor/actortest", std: true, kit: true},

	{floor: 2, path: "actor", std: true},
	{floor: 2, path: "cluster/explanation", std: true},

	{floor: 1, path: "internal/placement", std: true, pure: true},
	{floor: 1, path: "internal/view", std: true, pure: true},
	{floor: 1, path: "internal/directory", std: true, pure: true},
	{floor: 1, path: "internal/record", std: true, pure: true},
	{floor: 1, path: "internal/lease", std: true, pure: true},
	{floor: 1, path: "internal/pidcache", std: true, pure: true},
	{floor: 1, path: "internal/membertest", std: true, kit: true},
	{floor: 1, path: "internal/servertest", std: true, kit: true},
	{floor: 1, path: "internal/certtest", std: true, kit: true},
	{floor: 1, path: "internal/exampletest", std: true, kit: true},
	{floor: 1, path: "internal/*", std: true},

	{floor: 0, path: "wire"},
	{floor: 0, path: "cluster/driver", std: true},
}

// impure are the packages, with those below them, that would let a pure machine see a clock, the network, chance or
// another goroutine. Then it could not be tested by scripts and simulated.
var impure = []string{"time", "net", "context", "sync", "math/rand", "crypto/rand", "os"}

// backendMayImport are the rooms that a backend sees, besides itself.
var backendMayImport = []string{"cluster/driver", "cluster/record", "wire"}

// coreRequires are the only direct dependencies of the core. Another needs a record in docs/ first.
var coreRequires = []string{"google.golang.org/grpc", "google.golang.org/protobuf"}

const rivals = "they bring hundreds of dependencies, and nobody tests them with ours"

// outsideWorkspace are the modules that go.work does not name, and why.
var outsideWorkspace = map[string]string{
	"bench/peer/goakt":      rivals,
	"bench/peer/hollywood":  rivals,
	"bench/peer/protoactor": rivals,
	"tools/lint":            "the workspace chooses versions over all its modules, and a linter has hundreds of dependencies",

	"test/servers/consul":     "a server that tests start, and its hundreds of dependencies: the same",
	"test/servers/etcd":       "the same",
	"test/servers/ferretdb":   "the same",
	"test/servers/kubernetes": "the same, and it replaces modules, which would hold for the whole workspace",
}

// nameless are folder names that say nothing about what is inside.
var nameless = []string{"common", "helper", "helpers", "misc", "types", "util", "utils"}

// maxLines bounds a file that people wrote and that is no test, and maxFunction the body of a function in one. Nearly all are to
// stay below half of the one, and below 40 of the other.
const (
	maxLines    = 500
	maxFunction = 60
)

// Sleeping is no synchronisation. Code does not sleep at all: a timer beside a context can be woken.
// In a testing/synctest bubble time.Sleep moves the clock, so test files that use synctest are free to. Elsewhere a
// test waits for the thing itself; this many calls per 1,000 lines of tests are left for the rare other case.
const sleepsPerThousandTestLines = 1

// TestHouse holds the tree to the rules. A finding names the place, the rule and what to do.
func TestHouse(t *testing.T) {
	tree, err := readTree(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.packages) == 0 || len(tree.modules) == 0 {
		t.Fatal("found no packages or no modules: the test does not run in the root of the house")
	}
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			if found := rule.check(tree); len(found) > 0 {
				t.Errorf("%d findings:\n\t%s", len(found), strings.Join(found, "\n\t"))
			}
		})
	}
}
