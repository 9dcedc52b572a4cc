package consul

import (
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/granary-go/granary/cluster/consul/consultest"
	"github.com/granary-go/granary/internal/membertest"
)

// shown gives the state of the checks of a service's instances, by their id.
func shown(t *testing.T, client *api.Client, service string) map[string]string {
	t.Helper()
	entries, _, err := client.Health().Service(service, "", false, consistent(within(t)))
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, e := range entries {
		for _, c := range e.Checks {
			if c.ServiceID == e.Service.ID {
				states[e.Service.ID] = c.Status
			}
		}
	}
	return states
}

func TestMembersAreShownAsServices(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	client := server.Client(t)
	var log membertest.Journal
	r := membertest.Request("a", "127.0.0.1:4020")
	r.Logger = log.Logger()
	r.Member.Labels = map[string]string{"zone": "eu-1"}
	stays := join(t, New(server.Config(), WithTTL(leaseTime)), r)
	leaves := join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("b", "127.0.0.1:4021"))
	crashes := join(t, New(server.Config(), WithTTL(leaseTime)), membertest.Request("c", "127.0.0.1:4022"))
	holding(t, stays, 3)
	until(t, "all are passing", func() bool {
		s := shown(t, client, "granary-test")
		return s["a"] == api.HealthPassing && s["b"] == api.HealthPassing && s["c"] == api.HealthPassing
	})
	services, _, err := client.Catalog().Service("granary-test", "Ponger", consistent(within(t)))
	if err != nil || len(services) != 3 {
		t.Fatalf("with the tag of their kind there are %d services, %v; want 3", len(services), err)
	}
	for _, s := range services {
		if s.ServiceID == "a" && (s.ServiceAddress != "127.0.0.1" || s.ServicePort != 4020 || s.ServiceMeta["zone"] != "eu-1") {
			t.Errorf("the service of a is %+v", s)
		}
	}
	if err := leaves.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	until(t, "who has left is gone", func() bool { _, there := shown(t, client, "granary-test")["b"]; return !there })
	if err := crashes.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "a session that was closed is gone", func() bool { _, there := shown(t, client, "granary-test")["c"]; return !there })

	// An agent that was emptied is told again.
	if err := client.Agent().ServiceDeregister("a"); err != nil {
		t.Fatal(err)
	}
	until(t, "a service that the agent has forgotten is there again", func() bool { return shown(t, client, "granary-test")["a"] == api.HealthPassing })
	if strings.Contains(log.String(), "services failed") {
		t.Errorf("it warns of nothing: %s", log.String())
	}
}

// A member that does not renew is critical: nobody takes its service back.
func TestServiceOfACrash(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	client := server.Client(t)
	a := announce(&connection{Client: client}, "shop", membertest.Request("a", "127.0.0.1:4020"))
	defer a.stop()
	a.renewed(leaseTime)
	until(t, "it is passing", func() bool { return shown(t, client, "shop")["a"] == api.HealthPassing })
	until(t, "it is critical", func() bool { return shown(t, client, "shop")["a"] == api.HealthCritical })
	a.renewed(leaseTime)
	until(t, "it is passing again", func() bool { return shown(t, client, "shop")["a"] == api.HealthPassing })
	checks, err := client.Agent().Checks()
	if err != nil || checks["granary:a"] == nil || checks["granary:a"].Type != "ttl" {
		t.Errorf("the agent's checks are %v, %v", checks, err)
	}
}

func TestServicesAreNamedOrNot(t *testing.T) {
	t.Parallel()
	server := consultest.Start(t)
	client := server.Client(t)
	none := join(t, New(server.Config(), WithTTL(leaseTime), WithoutService()), membertest.Request("a", "127.0.0.1:1"))
	named := join(t, New(server.Config(), WithTTL(leaseTime), WithService("shop-members")), membertest.Request("b", "127.0.0.1:2"))
	holding(t, none, 2)
	holding(t, named, 2)
	until(t, "the service has its name", func() bool { return shown(t, client, "shop-members")["b"] == api.HealthPassing })
	services, err := client.Agent().Services()
	if err != nil || len(services) != 1 {
		t.Errorf("the agent's services are %v, %v; want one", services, err)
	}
}
