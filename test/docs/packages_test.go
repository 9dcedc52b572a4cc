package docs

// packages are what blocks may use without an import: packages by their names.
var packages = map[string]string{}

func init() {
	for _, std := range []string{
		"bytes", "context", "crypto/tls", "encoding/json", "errors", "flag", "fmt", "io", "log", "log/slog", "maps", "net", "net/http", "os",
		"os/signal", "path/filepath", "slices", "strconv", "strings", "sync", "sync/atomic", "syscall", "testing", "time",
	} {
		packages[std[lastSlash(std)+1:]] = std
	}
	for _, ours := range []string{
		"actor", "actor/actortest", "cluster", "cluster/admin", "cluster/automanaged", "cluster/clustertest", "cluster/clustertest/bubble", "cluster/consul",
		"cluster/driver", "cluster/drivertest", "cluster/etcd", "cluster/health", "cluster/k8s", "cluster/mongo", "cluster/redis", "cluster/zk", "dashboard",
		"examples/ledger", "remote", "router", "wire/actorpb", "test/docs/carts",
	} {
		packages[ours[lastSlash(ours)+1:]] = modulePath + "/" + ours
	}
	for name, path := range map[string]string{
		"granaryotel": modulePath + "/contrib/otel",
		"api":         "github.com/hashicorp/consul/api",
		"clientcmd":   "k8s.io/client-go/tools/clientcmd",
		"clientv3":    "go.etcd.io/etcd/client/v3",
		"codes":       "google.golang.org/grpc/codes",
		"goredis":     "github.com/redis/go-redis/v9",
		"grpc":        "google.golang.org/grpc",
		"options":     "go.mongodb.org/mongo-driver/v2/mongo/options",
		"propagation": "go.opentelemetry.io/otel/propagation",
		"proto":       "google.golang.org/protobuf/proto",
		"status":      "google.golang.org/grpc/status",
		"zap":         "go.uber.org/zap",
	} {
		packages[name] = path
	}
}

func lastSlash(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return -1
}
