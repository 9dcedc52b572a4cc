package health

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/cluster"
)

// The services that Check and Watch know, beside the empty name, which is that of
// readiness.
const (
	ServiceReady = "ready"
	ServiceLive  = "live"
)

const (
	// maxWatchers bounds the streams of Watch, which look every watchEvery.
	maxWatchers = 64
	watchEvery  = time.Second
)

// Serve serves grpc.health.v1.Health at the address of the process: it is an option of
// cluster.Configure. A liveness probe names its service, grpc: {port: 8090, service: live},
// since the empty name is readiness. A probe of the kubelet's has no certificates: with TLS
// take [Handler].
func Serve() cluster.Option { return cluster.WithService(Service()) }

// Service is the service for a gRPC server of the application's own.
func Service() cluster.Service {
	return func(c *cluster.Cluster, r grpc.ServiceRegistrar) func() {
		ctx, cancel := context.WithCancel(context.Background())
		pb.RegisterHealthServer(r, &server{cluster: c, looks: shared{cluster: c}, ctx: ctx})
		return cancel
	}
}

type server struct {
	pb.UnimplementedHealthServer

	cluster  *cluster.Cluster
	looks    shared
	watchers atomic.Int32
	ctx      context.Context // done when the service ends
}

// state is SERVICE_UNKNOWN for a name that is none.
func (s *server) state(ctx context.Context, service string) pb.HealthCheckResponse_ServingStatus {
	var why []string
	switch service {
	case "", ServiceReady:
		why = s.looks.ready(ctx)
	case ServiceLive:
		why = Live(s.cluster)
	default:
		return pb.HealthCheckResponse_SERVICE_UNKNOWN
	}
	if len(why) > 0 {
		return pb.HealthCheckResponse_NOT_SERVING
	}
	return pb.HealthCheckResponse_SERVING
}

// Check implements the service.
func (s *server) Check(ctx context.Context, r *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	state := s.state(ctx, r.GetService())
	if state == pb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, status.Errorf(codes.NotFound, "health: there are the services %q, %q, and the empty name for the first", ServiceReady, ServiceLive)
	}
	return &pb.HealthCheckResponse{Status: state}, nil
}

// List implements the service.
func (s *server) List(ctx context.Context, _ *pb.HealthListRequest) (*pb.HealthListResponse, error) {
	out := &pb.HealthListResponse{Statuses: make(map[string]*pb.HealthCheckResponse)}
	for _, service := range []string{"", ServiceReady, ServiceLive} {
		out.Statuses[service] = &pb.HealthCheckResponse{Status: s.state(ctx, service)}
	}
	return out, nil
}

// Watch implements the service: what it says may be a second old.
func (s *server) Watch(r *pb.HealthCheckRequest, stream grpc.ServerStreamingServer[pb.HealthCheckResponse]) error {
	if s.watchers.Add(1) > maxWatchers {
		s.watchers.Add(-1)
		return status.Errorf(codes.ResourceExhausted, "health: this process serves %d streams already", maxWatchers)
	}
	defer s.watchers.Add(-1)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for told := pb.HealthCheckResponse_UNKNOWN; ; {
		if state := s.state(stream.Context(), r.GetService()); state != told {
			told = state
			if err := stream.Send(&pb.HealthCheckResponse{Status: state}); err != nil {
				return err
			}
		}
		select {
		case <-ticker.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.ctx.Done():
			return status.Error(codes.Unavailable, "health: this process shuts down")
		}
	}
}
