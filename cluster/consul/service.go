package consul

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/driver"
)

// DeregisterAfter is how long the service of a member that no longer renews its lease stays among the critical ones until
// the agent removes it. Consul takes no less.
const DeregisterAfter = time.Minute

// Consul's limits of a service's metadata, and ours of its tags.
const (
	maxMeta      = 64  // pairs
	maxMetaValue = 512 // bytes
	maxTags      = 64
)

var (
	metaKey = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	noLabel = regexp.MustCompile(`[^a-zA-Z0-9]+`)
)

// announcer shows a member among the services of its agent. What it fails to do it tries again with the next renewal, and
// tells once.
type announcer struct {
	client  *connection
	service *api.AgentServiceRegistration
	logger  *slog.Logger
	kick    chan time.Duration // the lease time, after a renewal

	ctx    context.Context // ends with the announcer
	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once

	// These belong to run, and after it has ended to stop.
	tried  bool // the agent may have the service
	there  bool // and it has it
	warned bool
}

// announce starts an announcer of a member. It does nothing before the first renewal.
func announce(client *connection, name string, r driver.Request) *announcer {
	a := &announcer{client: client, service: describe(name, r), logger: r.Logger, kick: make(chan time.Duration, 1)}
	if a.logger == nil {
		a.logger = slog.New(slog.DiscardHandler)
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.wg.Go(a.run)
	return a
}

// describe makes the service of a member, but for the times of its check.
func describe(name string, r driver.Request) *api.AgentServiceRegistration {
	id := escape(string(r.Member.ID))
	s := &api.AgentServiceRegistration{
		ID: id, Name: name, Address: r.Member.Address, Meta: meta(r),
		Check: &api.AgentServiceCheck{
			CheckID: "granary:" + id, Name: "member of the cluster " + r.Cluster, Status: api.HealthPassing,
			DeregisterCriticalServiceAfter: DeregisterAfter.String(),
		},
	}
	if host, port, err := net.SplitHostPort(r.Member.Address); err == nil {
		s.Address = host
		s.Port, _ = strconv.Atoi(port) // the name of a port is none that Consul takes
	}
	for _, kind := range r.Member.Kinds[:min(len(r.Member.Kinds), maxTags)] {
		s.Tags = append(s.Tags, kind.Name)
	}
	return s
}

// meta gives the labels of a member that Consul takes, and below granary- what else is worth seeing.
func meta(r driver.Request) map[string]string {
	var kinds []string
	for _, k := range r.Member.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s (%v)", k.Name, k.Guarantee))
	}
	m := map[string]string{
		"granary-cluster": r.Cluster, "granary-member": string(r.Member.ID), "granary-kinds": strings.Join(kinds, ", "),
	}
	for key, value := range m {
		m[key] = strings.ToValidUTF8(value[:min(len(value), maxMetaValue)], "")
	}
	for _, key := range slices.Sorted(maps.Keys(r.Member.Labels)) {
		value := r.Member.Labels[key]
		reserved := strings.HasPrefix(key, "consul-") || strings.HasPrefix(key, "granary-")
		if len(m) < maxMeta && metaKey.MatchString(key) && !reserved && len(value) <= maxMetaValue {
			m[key] = value
		}
	}
	return m
}

// serviceName makes a name that DNS can be asked for.
func serviceName(prefix, cluster string) string {
	return strings.Trim(noLabel.ReplaceAllString(dashed(prefix, cluster), "-"), "-")
}

// renewed says that the lease was renewed. It does not wait. A nil announcer does nothing.
func (a *announcer) renewed(ttl time.Duration) {
	if a == nil {
		return
	}
	select {
	case a.kick <- ttl:
	default: // it is still busy with the last
	}
}

// stop takes the service back, and ends the announcer.
func (a *announcer) stop() {
	if a == nil {
		return
	}
	a.once.Do(func() {
		a.cancel()
		a.wg.Wait()
		if !a.tried {
			return
		}
		ctx, cancel := tidily(a.ctx)
		defer cancel()
		err := a.client.Agent().ServiceDeregisterOpts(a.service.ID, new(api.QueryOptions).WithContext(ctx))
		if a.there && !unknown(err) {
			a.tell("taking the member from Consul's services", err)
		}
	})
}

func (a *announcer) run() {
	for {
		select {
		case ttl := <-a.kick:
			if err := a.show(ttl); a.ctx.Err() == nil {
				a.tell("showing the member among Consul's services", err)
			}
		case <-a.ctx.Done():
			return
		}
	}
}

// tell warns of an error, once until all is well again.
func (a *announcer) tell(what string, err error) {
	if err != nil && !a.warned {
		a.logger.Warn("consul: "+what+" failed; its membership does not need it", "service", a.service.Name, "member", a.service.ID,
			"error", explain(err, fmt.Sprintf(`service %q { policy = "write" }`, a.service.Name)))
	}
	a.warned = err != nil
}

// show makes the check pass. An agent that does not know it, any more or yet, is told of the service.
func (a *announcer) show(ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(a.ctx, max(ttl/3, tidyTimeout))
	defer cancel()
	if a.there {
		err := a.client.Agent().UpdateTTLOpts(a.service.Check.CheckID, "the member renews its lease of "+ttl.String(), api.HealthPassing,
			new(api.QueryOptions).WithContext(ctx))
		if !unknown(err) {
			return err
		}
	}
	a.service.Check.TTL = ttl.String()
	a.tried = true
	err := a.client.Agent().ServiceRegisterOpts(a.service, api.ServiceRegisterOpts{}.WithContext(ctx))
	a.there = err == nil
	return err
}

// unknown tells the answer of an agent that has no such service or check.
func unknown(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}
