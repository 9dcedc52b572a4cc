// Package k8stest starts a Kubernetes API server for tests: kube-apiserver above an etcd, processes of their own on free
// ports of the loopback, with their files in a folder that goes with them. There is no kubelet, no controller and no
// node: the test makes pods, says what a kubelet would say of them, and deletes them.
//
//	func TestMain(m *testing.M) { os.Exit(k8stest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		server := k8stest.Shared(t) // one for the whole test program
//		namespace := server.Namespace(t)
//		config := server.ServiceAccount(t, namespace, "shop")
//		…
//	}
//
// Tests that stop the server take one of their own, by [Start].
//
// The program is kube-apiserver, in the folder that GRANARY_TEST_SERVERS names, as `make test-all` sees to. Where that
// variable is not set, tests are skipped and say so; where it is set and the program is not there, they fail. The etcd is
// the one in that folder if there is one, else Debian's, which scripts/setup installs.
package k8stest
