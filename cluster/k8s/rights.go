package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// right is what a process must be allowed to do in its namespace.
type right struct {
	verb string
	resource
	name string // of the one object; empty for all
}

func (r right) String() string {
	if r.name == "" {
		return fmt.Sprintf("%s %s", r.verb, r.resource)
	}
	return fmt.Sprintf("%s %s/%s", r.verb, r.resource, r.name)
}

// rights are those without which nothing works. What is wanted of pods is not among them.
func (s *store) rights() []right {
	view := recordName(s.cluster)
	all := []right{
		{"list", configMaps, view}, {"watch", configMaps, view}, {"list", leases, ""}, {"watch", leases, ""},
	}
	if !s.observes {
		all = append(all,
			right{"create", configMaps, ""}, right{"update", configMaps, view}, right{"get", leases, ""},
			right{"create", leases, ""}, right{"update", leases, ""}, right{"delete", leases, ""})
	}
	return all
}

// begin looks whether the server answers and lets this process do what it must, so that whoever joins is told all that
// is wrong at once.
func (s *store) begin(ctx context.Context) error {
	_, _, err := s.lists(ctx)
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	if missing := s.missing(ctx); len(missing) > 0 {
		return fmt.Errorf("k8s: %s does not allow this process, in the namespace %s: %s: %s",
			s.client.host, s.client.namespace, strings.Join(missing, ", "), s.grant())
	}
	if err != nil {
		return err
	}
	s.findPod(ctx)
	return nil
}

// missing asks the server which of the rights this process has not. One that does not answer that denies none: the
// calls themselves will tell.
func (s *store) missing(ctx context.Context) []string {
	all := s.rights()
	denied := make([]bool, len(all))
	var wg sync.WaitGroup
	for i, r := range all {
		wg.Go(func() {
			allowed, err := s.client.allowed(ctx, r)
			denied[i] = err == nil && !allowed
		})
	}
	wg.Wait()
	var names []string
	for i, r := range all {
		if denied[i] {
			names = append(names, r.String())
		}
	}
	return names
}

// allowed asks about a right.
func (c *client) allowed(ctx context.Context, r right) (bool, error) {
	question, err := json.Marshal(map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]string{
			"namespace": c.namespace, "verb": r.verb, "group": r.group, "resource": r.plural, "name": r.name,
		}},
	})
	if err != nil {
		return false, err
	}
	raw, err := c.core.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").
		Body(question).MaxRetries(0).DoRaw(quiet(ctx))
	if err != nil {
		return false, err
	}
	var answer struct {
		Status *struct {
			Allowed bool `json:"allowed"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return false, err
	}
	if answer.Status == nil {
		return false, errNonsense
	}
	return answer.Status.Allowed, nil
}
