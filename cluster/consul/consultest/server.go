package consultest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/internal/servertest"
)

// Server is a Consul server, which is also an agent. It ends with its test. Its methods are called by one goroutine at a
// time.
type Server struct {
	*servertest.Process

	// Address is where clients reach the server by HTTP, as host:port. It stays the same when it starts again.
	Address string
	// Token is what Config, Client and the waiting for a leader use. Set it where configuration turns ACLs on.
	Token string

	program string
	folder  string
	config  map[string]any
	extra   []string // configuration in HCL
}

// Start starts one server and waits until it is the leader. Further configuration is in Consul's HCL. It grants sessions
// of a second and more.
func Start(t testing.TB, config ...string) *Server {
	t.Helper()
	return start(t, 1, "", config)[0]
}

// StartWithToken is Start with ACLs: everything is denied but to those with a token, and the one given may do everything.
func StartWithToken(t testing.TB, token string, config ...string) *Server {
	t.Helper()
	acls := fmt.Sprintf(`acl { enabled = true default_policy = "deny" tokens { initial_management = %q } }`, token)
	return start(t, 1, token, append(config, acls))[0]
}

// StartCluster starts servers that are one Consul, and waits until they have a leader.
func StartCluster(t testing.TB, n int, config ...string) []*Server {
	t.Helper()
	return start(t, n, "", config)
}

func start(t testing.TB, n int, token string, config []string) []*Server {
	t.Helper()
	servertest.Need(t, "consul")
	program, err := servertest.Built("consul")
	if err != nil {
		t.Fatal(err)
	}
	var servers []*Server
	var all []*servertest.Process
	var join []string
	for i := range n {
		http, serf := servertest.Port(t), servertest.Port(t)
		s := &Server{Address: servertest.At(http), Token: token, program: program, folder: t.TempDir(), extra: config}
		s.config = settings(i, n, filepath.Join(s.folder, "data"), map[string]int{
			"http": http, "server": servertest.Port(t), "serf_lan": serf, "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "https": -1,
		})
		s.Process = servertest.New("Consul at "+s.Address, s.command, s.serves)
		t.Cleanup(s.Stop)
		servers, all, join = append(servers, s), append(all, s.Process), append(join, servertest.At(serf))
	}
	if n > 1 {
		for _, s := range servers {
			s.config["retry_join"], s.config["retry_interval"] = join, "200ms"
		}
	}
	if err := servertest.Start(all...); err != nil {
		t.Fatal(err)
	}
	return servers
}

// settings are those of one server of several.
func settings(i, n int, data string, ports map[string]int) map[string]any {
	lease := 50
	if n > 1 {
		lease = 500 // they need time for each other on a busy machine
	}
	return map[string]any{
		"node_name": fmt.Sprintf("server-%d", i), "server": true, "bootstrap_expect": n, "data_dir": data,
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "log_level": "warn", "ports": ports,
		"session_ttl_min": "1s", "performance": map[string]int{"raft_multiplier": 1},
		"consul": map[string]any{"raft": map[string]string{ // as in Consul's own development mode
			"election_timeout": ms(2 * lease), "heartbeat_timeout": ms(2 * lease), "leader_lease_timeout": ms(lease),
		}},
		"connect": map[string]bool{"enabled": false}, "disable_update_check": true, "leave_on_terminate": false,
	}
}

func ms(n int) string { return strconv.Itoa(n) + "ms" }

// Empty is Restart without the data.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := os.RemoveAll(filepath.Join(s.folder, "data")); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

// Config is a configuration for a client of this server, whatever the environment says.
func (s *Server) Config() api.Config {
	return api.Config{Address: s.Address, Scheme: "http", Token: s.Token}
}

// Client makes a client of this server. Its idle connections are closed when the test ends.
func (s *Server) Client(t testing.TB) *api.Client {
	t.Helper()
	c := s.Config()
	client, err := api.NewClient(&c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HttpClient.CloseIdleConnections)
	return client
}

// IsLeader reports whether the server is the leader, as it says.
func (s *Server) IsLeader(t testing.TB) bool {
	t.Helper()
	self, err := s.Client(t).Agent().Self()
	if err != nil {
		t.Fatalf("consultest: asking the server about itself: %v", err)
	}
	raft, _ := self["Stats"]["raft"].(map[string]any)
	return raft["state"] == "Leader"
}

func (s *Server) command() (*exec.Cmd, error) {
	config, err := json.Marshal(s.config)
	if err != nil {
		return nil, err
	}
	arguments := []string{"agent"}
	for i, text := range append([]string{string(config)}, s.extra...) { // JSON is HCL, too; the last counts
		path := filepath.Join(s.folder, fmt.Sprintf("%d.hcl", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
		arguments = append(arguments, "-config-file", path)
	}
	return exec.CommandContext(context.Background(), s.program, arguments...), nil
}

// serves fails until the server answers a consistent read, and is in the catalog.
func (s *Server) serves(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address+"/v1/catalog/services?consistent", nil)
	if err != nil {
		return err
	}
	r.Close = true
	r.Header.Set("X-Consul-Token", s.Token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var services map[string][]string
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(&services); err != nil {
		return err
	}
	if _, there := services["consul"]; !there {
		return fmt.Errorf("its services are %v", services)
	}
	return nil
}

// FreePort gives a port of the loopback that is nobody else's until the test ends.
func FreePort(t testing.TB) int {
	t.Helper()
	return servertest.Port(t)
}
