package k8s

import (
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/granary-go/granary/cluster"
)

// The server takes all manifests: it checks and admits them, and keeps nothing. Fields that it does not know are errors.
func TestManifestsPassADryRun(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, name := range []string{"rbac.yaml", "deployment.yaml", "statefulset.yaml", "service.yaml"} {
		for _, object := range manifest(t, name) {
			b.Do(t, http.MethodPost, collection(t, object, b.namespace)+"?dryRun=All&fieldValidation=Strict", object, nil)
		}
	}
}

// The pods of the manifests leave in time: what the kubelet waits for after it has begun to end a pod is longer than
// preStop and the longest that a shutdown takes. They tell the process where it is.
func TestManifestsFitTheMember(t *testing.T) {
	t.Parallel()
	var deployment appsv1.Deployment
	var set appsv1.StatefulSet
	decode(t, "deployment.yaml", &deployment)
	decode(t, "statefulset.yaml", &set)
	for name, pod := range map[string]corev1.PodTemplateSpec{"Deployment": deployment.Spec.Template, "StatefulSet": set.Spec.Template} {
		c := pod.Spec.Containers[0]
		// Shutdown is bounded by its time-out, and takes a few times 2 s more to close.
		needs := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + cluster.DefaultShutdownTimeout + 6*time.Second
		if grace := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; grace < needs {
			t.Errorf("%s: a grace period of %v; a graceful leave may take %v", name, grace, needs)
		}
		if pod.Labels[DefaultLabelPrefix+"/cluster"] != "shop" || pod.Spec.ServiceAccountName != "granary-member" {
			t.Errorf("%s: labels %v, service account %q", name, pod.Labels, pod.Spec.ServiceAccountName)
		}
		if recordName("shop") != "granary-shop" {
			t.Errorf("the roles are for granary-shop; the ConfigMap is %s", recordName("shop"))
		}
		env := map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.ValueFrom.FieldRef.FieldPath
		}
		for variable, want := range map[string]string{EnvPod: "metadata.name", EnvPodUID: "metadata.uid", EnvNamespace: "metadata.namespace", "POD_IP": "status.podIP"} {
			if env[variable] != want {
				t.Errorf("%s: %s is %q; want %q", name, variable, env[variable], want)
			}
		}
		if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet.Path != "/ready" {
			t.Errorf("%s: the readiness probe is %v", name, c.ReadinessProbe)
		}
		if c.LivenessProbe == nil || c.LivenessProbe.HTTPGet.Path != "/live" {
			t.Errorf("%s: the liveness probe is %v", name, c.LivenessProbe)
		}
	}
}

// decode reads the first object of a manifest.
func decode(t *testing.T, name string, into any) {
	t.Helper()
	text, err := yaml.Marshal(manifest(t, name)[0])
	if err == nil {
		err = yaml.UnmarshalStrict(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, c := range []string{"shop", "Shop", "shop-2", "shop/2", "shop 2", "shop.2", "ü", "ä", "", "-", strings.Repeat("a", 40), strings.Repeat("a", 41), strings.Repeat("x", 512)} {
		word := clusterWord(c)
		if other, known := seen[word]; known {
			t.Errorf("the clusters %q and %q have one name, %s", c, other, word)
		}
		seen[word] = c
		for _, id := range []string{"7XK2M4QBT3VDWNRA", "m1", "M1", "a/b", strings.Repeat("y", 512)} {
			name := leaseName(c, id)
			if other, known := seen[name]; known {
				t.Errorf("the members %q and %q have one Lease, %s", c+" "+id, other, name)
			}
			seen[name] = c + " " + id
			if len(name) > 253 || strings.ToLower(name) != name {
				t.Errorf("%q is no name", name)
			}
		}
		if !fitsLabel.MatchString(word) {
			t.Errorf("%q is no value of a label", word)
		}
	}
	if got, want := leaseName("shop", "7XK2M4QBT3VDWNRA"), "granary-shop.7xk2m4qbt3vdwnra"; got != want {
		t.Errorf("the usual names are as %s; want %s", got, want)
	}
	for _, kind := range []string{"Cart", "a.b", "Straße 7", strings.Repeat("K", 128), "_"} {
		if label := "kind-" + kindWord(kind); !fitsLabel.MatchString(label) {
			t.Errorf("the label of kind %q is %q", kind, label)
		}
	}
}
