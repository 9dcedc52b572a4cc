package cluster

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
)

// Service begins a gRPC service of a process: it registers the service, and returns how
// to end what it has begun besides, nil if there is nothing. Both are called once, in
// Start and in Shutdown, and do not wait long.
//
// A name that is registered already, by another service of the process, makes Start
// fail. While it is called the cluster does not run yet. It may keep the cluster, and use it
// once calls come; those may come before this process is in a view.
type Service func(c *Cluster, r grpc.ServiceRegistrar) (stop func())

// WithService has a gRPC service served at the address of this process, with the
// certificates of the cluster's TLS, beside what the processes of a cluster say to each
// other. Without TLS whoever reaches the port can call it. Packages cluster/admin and
// cluster/health have such services. Nil is ignored.
func WithService(s Service) Option {
	return option(func(c *Config) {
		if s != nil {
			c.services = append(c.services, s)
		}
	})
}

// services are how the services of a process end.
type services struct {
	stops []func()
	err   error // of services that could not be registered
}

// serve begins the services. The remote calls it, before it listens.
func (c *Cluster) serve(r grpc.ServiceRegistrar) {
	once := &registrar{ServiceRegistrar: r, names: make(map[string]bool)}
	if known, ok := r.(interface {
		GetServiceInfo() map[string]grpc.ServiceInfo
	}); ok {
		for name := range known.GetServiceInfo() {
			once.names[name] = true
		}
	}
	defer func() { c.services.err = errors.Join(once.errs...) }()
	for _, begin := range c.config.services {
		if stop := begin(c, once); stop != nil {
			c.services.stops = append(c.services.stops, stop)
		}
	}
}

// registrar registers each name once: gRPC ends the process at the second time.
type registrar struct {
	grpc.ServiceRegistrar

	names map[string]bool
	errs  []error
}

// RegisterService implements grpc.ServiceRegistrar.
func (r *registrar) RegisterService(desc *grpc.ServiceDesc, impl any) {
	if r.names[desc.ServiceName] {
		r.errs = append(r.errs, fmt.Errorf("cluster: the service %s is registered twice: leave out one of the options that serve it", desc.ServiceName))
		return
	}
	r.names[desc.ServiceName] = true
	r.ServiceRegistrar.RegisterService(desc, impl)
}

// stop ends the services. It is called once.
func (s *services) stop() {
	for _, stop := range s.stops {
		stop()
	}
}

// Drain makes this member take nothing new: it is shown as leaving, the others take over
// its slots, and new grains are placed elsewhere. The grains that are here go on until
// they stop by themselves, or Shutdown stops them. There is no way back but to shut
// down and to start a new [Cluster]. Drained a second time, or while it shuts
// down, it only waits until it is drained.
//
// It returns when no more grain begins here, or with an error: of a process that
// is no member, or that ctx was done before. Without a deadline half of the shutdown
// timeout is the limit.
func (c *Cluster) Drain(ctx context.Context) error {
	m, err := c.running()
	if err != nil {
		return err
	}
	if !m.isMember() || !m.hasJoined() {
		return errors.New("cluster: drain: this process is no member, so that there is nothing to drain")
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.shutdownTimeout)
	defer cancel()
	if err := m.drain(ctx); err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	c.logger.Info("cluster: this member takes nothing new from now on", "member", m.self.ID)
	return nil
}
