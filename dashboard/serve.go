package dashboard

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// Serve makes a dashboard for a member's or a client's own program, and the option of
// cluster.Configure that goes with it: that serves the admin service at the cluster's address,
// as admin.Serve does and with the options of [WithAdmin], and to the dashboard within the
// process. Until the cluster has started, and once it is shut down, the page says that it
// is in no cluster. The option is for one cluster.
//
// A function of admin.WithAuthorization is asked about the dashboard's questions, too, as those
// of a peer without a certificate, at an address of the network "pipe".
func Serve(opts ...Option) (*Dashboard, cluster.Option) {
	inside := &pipe{conns: make(chan net.Conn), open: make(chan struct{}), closed: make(chan struct{})}
	conn, err := grpc.NewClient("passthrough:///this-process", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(inside.dial), grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: dialEvery, MaxDelay: dialEvery, Multiplier: 1}}))
	if err != nil {
		panic("dashboard: a connection within the process: " + err.Error()) // the target is a constant
	}
	d := New(pb.NewAdminClient(conn), opts...)
	d.release = sync.OnceFunc(func() { _ = conn.Close() })
	service := admin.Service(d.config.service...)
	return d, cluster.WithService(func(c *cluster.Cluster, r grpc.ServiceRegistrar) (stop func()) {
		server := grpc.NewServer()
		end := service(c, both{r, server})
		close(inside.open)
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Serve(inside) }) // which ends by Stop
		return func() {
			end()
			server.Stop()
			wg.Wait()
		}
	})
}

// dialEvery is how soon a dashboard notices that its cluster has started.
const dialEvery = 200 * time.Millisecond

// both registers a service at two servers.
type both [2]grpc.ServiceRegistrar

// RegisterService implements grpc.ServiceRegistrar.
func (b both) RegisterService(desc *grpc.ServiceDesc, impl any) {
	b[0].RegisterService(desc, impl)
	b[1].RegisterService(desc, impl)
}

// pipe is a listener within the process.
type pipe struct {
	conns  chan net.Conn
	open   chan struct{} // closed when there is somebody who accepts
	once   sync.Once
	closed chan struct{}
}

var errNoCluster = errors.New("this process is in no cluster: its cluster has not been started, or is shut down")

func (p *pipe) dial(ctx context.Context, _ string) (net.Conn, error) {
	select {
	case <-p.open:
	default:
		return nil, errNoCluster
	}
	mine, others := net.Pipe()
	select {
	case p.conns <- others:
		return mine, nil
	case <-p.closed:
	case <-ctx.Done():
	}
	return nil, errors.Join(errNoCluster, mine.Close(), others.Close())
}

// Accept implements net.Listener.
func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr implements net.Listener.
func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "dashboard", Net: "pipe"} }
