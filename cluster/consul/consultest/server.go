package consultest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// FolderVariable names the environment variable with the folder of the servers.
const FolderVariable = "GRANARY_TEST_SERVERS"

// startTimeout bounds how long servers may take until they have a leader. One takes half a second on an idle machine.
const startTimeout = 60 * time.Second

// Server is a Consul server, which is also an agent. It ends with its test. Its methods are called by one goroutine at a
// time.
type Server struct {
	// Address is where clients reach the server by HTTP, as host:port. It stays the same when it starts again.
	Address string
	// Token is what Config, Client and the waiting for a leader use. Set it where configuration turns ACLs on.
	Token string

	program string
	folder  string
	config  map[string]any
	extra   []string // configuration in HCL
	serf    string
	output  buffer
	cmd     *exec.Cmd
	alive   context.Context // ends with the process
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
	program := find(t)
	var servers []*Server
	var err error
	for range 5 { // somebody else may take a free port before a server does
		servers = nil
		for i := range n {
			servers = append(servers, newServer(t, program, i, n, token, config))
		}
		if err = startAll(servers); err == nil {
			break
		}
		for _, s := range servers {
			s.Stop()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range servers {
		t.Cleanup(s.Stop)
	}
	return servers
}

// find gives the program, or ends the test.
func find(t testing.TB) string {
	t.Helper()
	folder := os.Getenv(FolderVariable)
	if folder == "" {
		t.Skip("needs consul, which `make test-all` builds")
	}
	program, err := exec.LookPath(filepath.Join(folder, "consul"))
	if err != nil {
		t.Fatalf("consultest: %v: `make test-all` builds the servers of %s=%s", err, FolderVariable, folder)
	}
	return program
}

func newServer(t testing.TB, program string, i, n int, token string, extra []string) *Server {
	t.Helper()
	http, rpc, serf := FreePort(t), FreePort(t), FreePort(t)
	s := &Server{Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(http)), Token: token, program: program, folder: t.TempDir(), extra: extra}
	s.serf = net.JoinHostPort("127.0.0.1", strconv.Itoa(serf))
	lease := 50
	if n > 1 {
		lease = 500 // they need time for each other on a busy machine
	}
	s.config = map[string]any{
		"node_name": fmt.Sprintf("server-%d", i), "server": true, "bootstrap_expect": n, "data_dir": filepath.Join(s.folder, "data"),
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "log_level": "warn",
		"ports": map[string]int{
			"http": http, "server": rpc, "serf_lan": serf, "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1, "https": -1,
		},
		"session_ttl_min": "1s", "performance": map[string]int{"raft_multiplier": 1},
		"consul": map[string]any{"raft": map[string]string{ // as in Consul's own development mode
			"election_timeout": ms(2 * lease), "heartbeat_timeout": ms(2 * lease), "leader_lease_timeout": ms(lease),
		}},
		"connect": map[string]bool{"enabled": false}, "disable_update_check": true, "leave_on_terminate": false,
	}
	return s
}

func ms(n int) string { return strconv.Itoa(n) + "ms" }

func startAll(servers []*Server) error {
	var join []string
	for _, s := range servers {
		join = append(join, s.serf)
	}
	for _, s := range servers {
		if len(servers) > 1 {
			s.config["retry_join"], s.config["retry_interval"] = join, "200ms"
		}
		if err := s.start(); err != nil {
			return err
		}
	}
	for _, s := range servers {
		if err := s.await(); err != nil {
			return err
		}
	}
	return nil
}

// Stop kills the server, as a crash does. What it had acknowledged it still has after Restart.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself
	<-s.alive.Done()
	s.cmd = nil
}

// Restart stops the server if it runs, and starts it again on its data and its ports.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	if err := s.await(); err != nil {
		t.Fatal(err)
	}
}

// Empty is Restart without the data.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	s.Stop()
	if err := os.RemoveAll(filepath.Join(s.folder, "data")); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
}

// Pause stops the process where it is (SIGSTOP): connections stay up and nobody answers.
func (s *Server) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Server) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("consultest: %v to the server: %v\n%s", sig, err, &s.output)
	}
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

func (s *Server) start() error {
	config, err := json.Marshal(s.config)
	if err != nil {
		return fmt.Errorf("consultest: %w", err)
	}
	arguments := []string{"agent"}
	for i, text := range append([]string{string(config)}, s.extra...) { // JSON is HCL, too; the last counts
		path := filepath.Join(s.folder, fmt.Sprintf("%d.hcl", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("consultest: %w", err)
		}
		arguments = append(arguments, "-config-file", path)
	}
	s.cmd = exec.CommandContext(context.Background(), s.program, arguments...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("consultest: %w", err)
	}
	alive, died := context.WithCancel(context.Background())
	s.alive = alive
	go func(cmd *exec.Cmd) { // ends with the process, which Stop kills and waits for
		defer died()
		_ = cmd.Wait() // how it ended is in its output
	}(s.cmd)
	return nil
}

// await waits until the server answers a consistent read, and is in the catalog.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(s.alive, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.serves(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("consultest: the server at %s does not serve: %w\n%s", s.Address, err, &s.output)
		}
	}
}

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

// FreePort gives a port of the loopback that nobody listens on at this moment.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("consultest: a listener of TCP has the address %v", l.Addr())
	}
	return address.Port
}

// buffer keeps what the server prints.
type buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
