package k8s

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/membertest"
)

// manifest gives the objects of a file of manifests, as JSON.
func manifest(t *testing.T, name string) (objects []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("manifests", name))
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		objects = append(objects, object)
	}
	return objects
}

// collections are where objects of a kind are created.
var collections = map[string]string{
	"ServiceAccount":      "/api/v1/namespaces/%/serviceaccounts",
	"Service":             "/api/v1/namespaces/%/services",
	"Role":                "/apis/rbac.authorization.k8s.io/v1/namespaces/%/roles",
	"RoleBinding":         "/apis/rbac.authorization.k8s.io/v1/namespaces/%/rolebindings",
	"Deployment":          "/apis/apps/v1/namespaces/%/deployments",
	"StatefulSet":         "/apis/apps/v1/namespaces/%/statefulsets",
	"PodDisruptionBudget": "/apis/policy/v1/namespaces/%/poddisruptionbudgets",
}

func collection(t *testing.T, object map[string]any, namespace string) string {
	t.Helper()
	kind, _ := object["kind"].(string)
	path, known := collections[kind]
	if !known {
		t.Fatalf("where are objects of kind %q created?", kind)
	}
	return strings.Replace(path, "%", namespace, 1)
}

// granted applies the roles of the manifest, without the rule that has a verb of a resource where these are given, and
// gives the configuration of a process that has them.
func (b *bench) granted(account, verb, resource string) *rest.Config {
	b.t.Helper()
	config := b.ServiceAccount(b.t, b.namespace, account)
	for _, object := range manifest(b.t, "rbac.yaml") {
		if object["kind"] == "ServiceAccount" {
			continue
		}
		if rules, has := object["rules"].([]any); has {
			object["rules"] = without(rules, verb, resource)
		}
		b.Do(b.t, http.MethodPost, collection(b.t, object, b.namespace), object, nil)
	}
	return config
}

func without(rules []any, verb, resource string) []any {
	for _, r := range rules {
		rule := r.(map[string]any)
		if rule["resources"].([]any)[0] != resource {
			continue
		}
		verbs := []any{}
		for _, v := range rule["verbs"].([]any) {
			if v != verb {
				verbs = append(verbs, v)
			}
		}
		if rule["verbs"] = verbs; len(verbs) == 0 {
			rule["verbs"] = []any{"patch"} // there must be one
		}
	}
	return rules
}

// settled waits until the server acts on the roles: it learns of them by a watch.
func (b *bench) settled(c *rest.Config, r right) {
	b.t.Helper()
	client, err := newClient(c, b.namespace)
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.close()
	ctx := within(b.t)
	for allowed := false; !allowed; {
		if allowed, err = client.allowed(ctx, r); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) provider(c *rest.Config, opts ...Option) Provider {
	return NewWithConfig(c, append([]Option{WithNamespace(b.namespace), WithTTL(leaseTime)}, opts...)...)
}

// The rights of the manifest suffice, also to remove others, to prove that containers ended, and to label the pod; and
// those of an observer to observe.
func TestRightsOfTheManifest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.granted("granary-member", "", "")
	observerConfig := b.ServiceAccount(t, b.namespace, "granary-observer")
	b.settled(account, right{"patch", pods, ""})
	b.settled(observerConfig, right{"watch", leases, ""})
	var log membertest.Journal
	members := []*membertest.Process{}
	for i := range 3 {
		pod := "shop-" + string(rune('0'+i))
		began := time.Now()
		b.Pod(t, b.namespace, pod, nil)
		b.kubelet(pod, isRunning("member", "c://"+pod, 0, began))
		members = append(members, b.join(account, i, &log, WithPod(pod), func(c *config) {
			c.started = func() (time.Time, bool) { return began, true }
		}))
	}
	observer, err := b.provider(observerConfig).Observe(within(t), request("", "127.0.0.1:9"))
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()
	membertest.Together(t, members...)
	b.awaitContainer(string(members[0].ID))
	members[0].Crash(t)
	members[1].Holds(t, members[1], members[2])
	if err := members[1].Session.Leave(within(t)); err != nil {
		t.Error(err)
	}
	members[2].Holds(t, members[2])
	for after, n := uint64(0), 0; n != 1; {
		view, err := observer.Watch(within(t), after)
		if err != nil {
			t.Fatal(err)
		}
		after, n = view.Epoch, len(view.Members)
	}
	if text := log.String(); strings.Contains(text, "level=WARN") && strings.Contains(text, "k8s:") {
		t.Errorf("members warn though they have all rights:\n%s", text)
	}
}

// Without a right Join fails, and names it, and what to apply. All that is missing is told at once.
func TestRightsThatAreMissing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ verb, resource, want string }{
		"list the record":   {"list", "configmaps", "list configmaps/granary-shop"},
		"watch the record":  {"watch", "configmaps", "watch configmaps/granary-shop"},
		"update the record": {"update", "configmaps", "update configmaps/granary-shop"},
		"make the record":   {"create", "configmaps", "create configmaps"},
		"read Leases":       {"get", "leases", "get leases.coordination.k8s.io"},
		"list Leases":       {"list", "leases", "list leases.coordination.k8s.io"},
		"watch Leases":      {"watch", "leases", "watch leases.coordination.k8s.io"},
		"make Leases":       {"create", "leases", "create leases.coordination.k8s.io"},
		"renew Leases":      {"update", "leases", "update leases.coordination.k8s.io"},
		"delete Leases":     {"delete", "leases", "delete leases.coordination.k8s.io"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			config := b.granted("granary-member", c.verb, c.resource)
			b.settled(config, right{"patch", pods, ""}) // bound last
			joinFails(t, b.provider(config), ": "+c.want+":", "granary-member", "rbac.yaml", b.namespace)
		})
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		config := b.ServiceAccount(t, b.namespace, "nobody")
		joinFails(t, b.provider(config), "list configmaps/granary-shop", "create configmaps", "delete leases.coordination.k8s.io", "rbac.yaml")
		if _, err := b.provider(config).Observe(within(t), request("", "127.0.0.1:9")); err == nil || !strings.Contains(err.Error(), "granary-observer") {
			t.Errorf("Observe without rights: %v; want an error that names the role", err)
		}
	})
	t.Run("a wrong token", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		joinFails(t, b.provider(b.ConfigWith(secretToken)), "does not accept the credentials", b.Host)
	})
	t.Run("a wrong authority", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		config := b.Config()
		config.CAData = nil
		joinFails(t, b.provider(config), "certificate", b.Host)
	})
	t.Run("no such namespace", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		joinFails(t, NewWithConfig(b.config, WithNamespace("none")), "kubectl create namespace none")
	})
}

// What is wanted of pods is not needed: a member says once that it cannot have it, and works.
func TestWithoutRightsOnPods(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	config := b.ServiceAccount(t, b.namespace, "granary-member")
	for _, object := range manifest(t, "rbac.yaml") {
		name := object["metadata"].(map[string]any)["name"]
		if name == "granary-member" && object["kind"] != "ServiceAccount" {
			b.Do(t, http.MethodPost, collection(t, object, b.namespace), object, nil)
		}
	}
	b.settled(config, right{"create", leases, ""})
	b.Pod(t, b.namespace, "p", shopLabel)
	var log membertest.Journal
	members := []*membertest.Process{b.join(config, 1, &log, WithPod("p")), b.join(config, 2, &log)}
	members[0].Holds(t, members...)
	members[0].Crash(t)
	members[1].Holds(t, members[1])
	text := log.String()
	if n := strings.Count(text, "the own pod is not known"); n != 1 || !strings.Contains(text, "cannot get resource") {
		t.Errorf("a member says %d times why it does not know its pod; want once:\n%s", n, text)
	}
	if n := strings.Count(text, "the pods cannot be read"); n != 2 {
		t.Errorf("two members say %d times that they cannot read pods; want once each:\n%s", n, text)
	}
}

// join begins a member that logs to a journal.
func (b *bench) join(c *rest.Config, n int, log *membertest.Journal, opts ...Option) *membertest.Process {
	b.t.Helper()
	r := memberRequest(n)
	r.Logger = log.Logger()
	return membertest.Join(b.t, b.provider(c, opts...), r)
}

// memberRequest is that of member n.
func memberRequest(n int) driver.Request { return request("", fmt.Sprintf("10.0.0.%d:8090", n)) }
