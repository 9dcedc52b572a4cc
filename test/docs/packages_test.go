package docs

import "path"

const modulePath = "github.com/granary-go/granary"

// packages are what blocks may use without an import: import paths by the names of the packages.
var packages = named(
	[]string{ // of the standard library
		"bytes", "context", "crypto/tls", "encoding/json", "errors", "flag", "fmt", "io", "log", "log/slog", "maps", "net", "net/http", "os",
		"os/signal", "path/filepath", "slices", "strconv", "strings", "sync", "sync/atomic", "syscall", "testing", "time",
	},
	[]string{ // of the house
		"actor", "actor/actortest", "cluster", "cluster/admin", "cluster/automanaged", "cluster/clustertest", "cluster/clustertest/bubble", "cluster/consul",
		"cluster/driver", "cluster/drivertest", "cluster/etcd", "cluster/health", "cluster/k8s", "cluster/mongo", "cluster/record", "cluster/redis", "cluster/zk", "dashboard",
		"examples/ledger", "remote", "router", "wire/actorpb", "test/docs/carts",
	},
	map[string]string{
		"api":         "github.com/hashicorp/consul/api",
		"clientcmd":   "k8s.io/client-go/tools/clientcmd",
		"clientv3":    "go.etcd.io/etcd/client/v3",
		"codes":       "google.golang.org/grpc/codes",
		"granaryotel": modulePath + "/contrib/otel",
		"grpc":        "google.golang.org/grpc",
		"propagation": "go.opentelemetry.io/otel/propagation",
		"proto":       "google.golang.org/protobuf/proto",
		"status":      "google.golang.org/grpc/status",
		"zap":         "go.uber.org/zap",
	},
)

func named(std, ours []string, others map[string]string) map[string]string {
	for _, imported := range std {
		others[path.Base(imported)] = imported
	}
	for _, imported := range ours {
		others[path.Base(imported)] = modulePath + "/" + imported
	}
	return others
}
