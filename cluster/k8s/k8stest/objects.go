package k8stest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	asJSON  = "application/json"
	asMerge = "application/merge-patch+json"
	// askTimeout bounds a request of the administrator's.
	askTimeout = 30 * time.Second
)

// ask makes a request as the administrator. The body and the answer are JSON; nil is none.
func (s *Server) ask(ctx context.Context, method, path, contentType string, body, into any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.Host+path, reader)
	if err != nil {
		return err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return s.answer(request, into)
}

func (s *Server) answer(request *http.Request, into any) error {
	answer, err := s.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, answer.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}

// Do makes a request as the administrator, and fails the test if the server does not do it. The body and the answer are
// JSON; nil is none.
func (s *Server) Do(t testing.TB, method, path string, body, into any) {
	t.Helper()
	if err := s.Try(t, method, path, body, into); err != nil {
		t.Fatalf("k8stest: %v", err)
	}
}

// Try is Do, and gives the error.
func (s *Server) Try(t testing.TB, method, path string, body, into any) error {
	t.Helper()
	contentType := asJSON
	if method == http.MethodPatch {
		contentType = asMerge
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), askTimeout)
	defer cancel()
	return s.ask(ctx, method, path, contentType, body, into)
}

type fields = map[string]any

// Namespace makes a namespace with a name of its own. It is left to the server's end.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	var made struct{ Metadata struct{ Name string } }
	s.Do(t, http.MethodPost, "/api/v1/namespaces", fields{"metadata": fields{"generateName": "test-"}}, &made)
	return made.Metadata.Name
}

// ServiceAccount makes a service account without rights, and gives the configuration of a process that runs under it.
func (s *Server) ServiceAccount(t testing.TB, namespace, name string) *rest.Config {
	t.Helper()
	path := "/api/v1/namespaces/" + namespace + "/serviceaccounts"
	s.Do(t, http.MethodPost, path, fields{"metadata": fields{"name": name}}, nil)
	var token struct{ Status struct{ Token string } }
	s.Do(t, http.MethodPost, path+"/"+name+"/token", fields{"spec": fields{"audiences": []string{"https://granary.test"}}}, &token)
	return s.ConfigWith(token.Status.Token)
}

// Pod makes a pod with one container, as if it were bound to a node.
func (s *Server) Pod(t testing.TB, namespace, name string, labels map[string]string) types.UID {
	t.Helper()
	var made corev1.Pod
	s.Do(t, http.MethodPost, "/api/v1/namespaces/"+namespace+"/pods", fields{
		"metadata": fields{"name": name, "labels": labels},
		"spec":     fields{"nodeName": "node-1", "containers": []fields{{"name": "member", "image": "example.com/member:1"}}},
	}, &made)
	return made.UID
}

// Report says of a pod what a kubelet says.
func (s *Server) Report(t testing.TB, namespace, pod string, status corev1.PodStatus) {
	t.Helper()
	s.Do(t, http.MethodPatch, "/api/v1/namespaces/"+namespace+"/pods/"+pod+"/status", fields{"status": status}, nil)
}

// DeletePod deletes the object of a pod at once, as when it is deleted by force or its node is gone.
func (s *Server) DeletePod(t testing.TB, namespace, pod string) {
	t.Helper()
	s.Do(t, http.MethodDelete, "/api/v1/namespaces/"+namespace+"/pods/"+pod+"?gracePeriodSeconds=0", nil, nil)
}

// Table gives a listing as kubectl get prints it: the names of the columns, and the rows.
func (s *Server) Table(t testing.TB, path string) (columns []string, rows [][]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
	var table struct {
		ColumnDefinitions []struct{ Name string }
		Rows              []struct {
			Cells  []any
			Object struct {
				Metadata struct{ Labels map[string]string }
			}
		}
	}
	if err := s.answer(request, &table); err != nil {
		t.Fatal(err)
	}
	for _, c := range table.ColumnDefinitions {
		columns = append(columns, c.Name)
	}
	for _, r := range table.Rows {
		var row []string
		for _, c := range r.Cells {
			row = append(row, fmt.Sprint(c))
		}
		var labels []string
		for key, value := range r.Object.Metadata.Labels {
			labels = append(labels, key+"="+value)
		}
		rows = append(rows, append(row, strings.Join(labels, ",")))
	}
	return columns, rows
}

// Empty deletes what the server keeps of clusters, of all namespaces, as if it had lost it.
func (s *Server) Empty(t testing.TB) {
	t.Helper()
	for _, list := range []string{"/api/v1/configmaps", "/apis/coordination.k8s.io/v1/leases"} {
		var found struct {
			Items []struct {
				Metadata struct{ Name, Namespace string }
			}
		}
		s.Do(t, http.MethodGet, list+"?labelSelector=app.kubernetes.io/managed-by%3Dgranary", nil, &found)
		group, plural, _ := cutLast(list, "/")
		for _, item := range found.Items {
			path := group + "/namespaces/" + item.Metadata.Namespace + "/" + plural + "/" + item.Metadata.Name
			if err := s.Try(t, http.MethodDelete, path, nil, nil); err != nil && !strings.Contains(err.Error(), "404") {
				t.Fatal(err)
			}
		}
	}
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// Compact makes the etcd forget all versions but the newest.
func (s *Server) Compact(t testing.TB) {
	t.Helper()
	var got struct{ Header struct{ Revision string } }
	s.etcdCall(t, "/v3/kv/range", fields{"key": "AA=="}, &got)
	s.etcdCall(t, "/v3/kv/compaction", fields{"revision": got.Header.Revision, "physical": true}, nil)
}

func (s *Server) etcdCall(t testing.TB, path string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.etcdURL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.answer(request, into); err != nil {
		t.Fatal(err)
	}
}
