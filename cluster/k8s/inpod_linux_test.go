package k8s

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/internal/membertest"
	"github.com/granary-go/granary/remote"
)

const inPodVariable = "GRANARY_K8S_TEST_IN_POD"

// TestMemberOfAPod is the process that TestInAPod starts: a member as in the example.
func TestMemberOfAPod(t *testing.T) {
	if os.Getenv(inPodVariable) == "" {
		return // it is no test by itself
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := cluster.New(actor.NewActorSystem(), cluster.Configure("shop", New(WithTTL(leaseTime)), remote.Configure("127.0.0.1", 0)))
	if err := c.StartContext(ctx); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "in the view: %s\n", c.MemberID())
	<-ctx.Done()
	if err := c.Shutdown(true); err != nil {
		t.Fatal(err)
	}
}

// A process that has what a pod gives it, the files of its service account and the environment of the manifests, joins
// with New alone, and leaves on SIGTERM within the grace period. The files are where client-go looks for them, in a mount
// namespace of its own.
func TestInAPod(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	account := b.granted("granary-member", "", "")
	b.settled(account, right{"patch", pods, ""})
	uid := b.Pod(t, b.namespace, "shop-0", shopLabel)
	files := t.TempDir()
	for name, text := range map[string][]byte{
		"token": []byte(account.BearerToken), "ca.crt": account.CAData, "namespace": []byte(b.namespace),
	} {
		if err := os.WriteFile(filepath.Join(files, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	host, err := url.Parse(account.Host)
	if err != nil {
		t.Fatal(err)
	}
	script := `set -e
mount -t tmpfs none /var/run
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
cp "$1"/* /var/run/secrets/kubernetes.io/serviceaccount
exec "$0" -test.run='^TestMemberOfAPod$'`
	child := exec.CommandContext(within(t), "/bin/sh", "-c", script, os.Args[0], files)
	child.Env = append(os.Environ(), inPodVariable+"=yes", EnvPod+"=shop-0", EnvPodUID+"="+string(uid),
		"KUBERNETES_SERVICE_HOST="+host.Hostname(), "KUBERNETES_SERVICE_PORT="+host.Port())
	child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		child.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var log membertest.Journal
	child.Stderr = &log
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	id := ""
	lines := bufio.NewScanner(output)
	for id == "" && lines.Scan() {
		_, _ = fmt.Fprintln(&log, lines.Text())
		if _, after, found := strings.Cut(lines.Text(), "in the view: "); found {
			id = after
		}
	}
	if id == "" {
		_ = child.Wait()
		t.Fatalf("the process in the pod does not join:\n%s", log.String())
	}
	if l := b.lease(id); l == nil || l.Annotations["granary.dev/pod"] != "" && l.Annotations["granary.dev/pod-uid"] != string(uid) {
		t.Errorf("the Lease of %s is %v; want one of the pod", id, l)
	}
	_, rows := b.Table(t, "/api/v1/namespaces/"+b.namespace+"/pods?labelSelector=granary.dev/member%3D"+id)
	if len(rows) != 1 || rows[0][0] != "shop-0" {
		t.Errorf("the pods of %s are %q; want shop-0", id, rows)
	}
	begun := time.Now()
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := child.Wait(); err != nil || time.Since(begun) > 30*time.Second {
		t.Errorf("the process in the pod ends after %v with %v:\n%s", time.Since(begun), err, log.String())
	}
	if l := b.lease(id); l != nil {
		t.Errorf("the member has left, and has a Lease: %v", l.Spec)
	}
	if r := b.read(b.store()); strings.Contains(string(r.Data), `"id":"`+id) {
		t.Errorf("the member has left, and the record has it:\n%s", r.Data)
	}
}
