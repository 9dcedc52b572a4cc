// Package k8s keeps the membership of a cluster in Kubernetes, with leases. In a pod it needs nothing but the pod's service
// account:
//
//	config := cluster.Configure("shop", k8s.New(), remote.Configure(os.Getenv("POD_IP"), 8090), kinds...)
//	c := cluster.New(actor.NewActorSystem(), config)
//	err := c.Start()
//
// The folder manifests has the roles, a Deployment, a StatefulSet and a Service for it. Elsewhere, for example for a client
// outside, [NewWithConfig] takes a [rest.Config]. Kinds that are best effort or have leases run on it; strict ones, too,
// with a store of values of the user's own.
//
// # What is stored
//
//	$ kubectl get configmap granary-shop -o jsonpath='{.data.view}'    # the view record: JSON, a line for each member
//	$ kubectl get leases -l granary.dev/cluster=shop                   # a Lease for each member; HOLDER is the member
//	$ kubectl get pods -L granary.dev/cluster,granary.dev/member       # the members' pods
//	$ kubectl get pods -l granary.dev/kind-Cart                        # those that host a kind
//	$ kubectl get pods -o custom-columns='POD:.metadata.name,ADDRESS:.metadata.annotations.granary\.dev/address'
//
// The ConfigMap is changed by updates with its resourceVersion alone, so that views have one order, and all members see the
// same ones. A Lease says what its member is, in an annotation, and in which pod and container it runs. Deleting the
// ConfigMap, a Lease, or a Lease's labels makes its members join again under new ids; for leased kinds delete them only
// when the process is known to have ended, for the others do not wait for its lease then. A name of a cluster or a
// kind that Kubernetes does not take is shortened, with a hash behind it. A pod shows the members of one cluster.
//
// # Who is alive
//
// Kubernetes deletes no Lease, so members judge each other. A member is dead when its Lease was not changed for its whole
// duration, counted by who judges, on its own clock, from when it saw the Lease first as it is; no two clocks are
// compared. Or when the kubelet reports that the container has ended which the Lease names: then without waiting. Neither
// a pod's phase nor that its object is gone proves that: a node that cannot be reached may still run it.
//
// The member is not out by that. Who judged takes the holder out of the Lease, by an update that fails if the Lease has
// changed. Renewals are such updates, too. So a renewal that is under way either comes first, and the member stays, or
// fails, and the member knows that it is out. Only then do others see it as gone. A Lease that nobody holds is
// deleted after its duration. It gets the pod as its owner then, and not before: Kubernetes deletes what a pod owns with the
// pod's object, although its process may live on.
//
// A member names its container in its Lease once the kubelet has reported that it runs. The report may be late, and about
// the run before: it counts only if that container began when the process did, by the node's clock. Where it cannot be
// told (several containers without [WithContainer], no right to read pods, no /proc), a crash is noticed after the lease time.
//
// # Rights
//
// manifests/rbac.yaml has them: a member makes Leases, and reads, updates and deletes them, makes a ConfigMap, and reads
// and updates that of its cluster; an observer reads both. Reading pods and labelling the own one are roles apart, which
// may be left out. Join names what is missing.
//
// # The lease time
//
// A member that vanishes is out of the view after the lease time, [WithTTL]. Nine tenths of it after a member's last renewal
// that succeeded its leased and strict grains stop, until the API server can be reached again. It renews after each third:
// an outage of a little more than half of the lease time stops no grain. 10 s, the default, suits most. Each renewal is a
// write to the API server: at 10 s, one in 3.3 s for each member.
//
// # Failures
//
// A connection on which nothing comes is probed, and given up after 4 s, so that another API server behind the same address
// is reached before a lease of 10 s has ended. Watches that end, or whose versions are forgotten (410 Gone), make the member
// read again; it also reads after ten seconds, and when a Lease may have run out. Answers of something else than an API server
// prove nothing, and are errors. Calls that fail are made again after growing pauses, up to a second. Nothing is printed by the
// client library; tokens are in no error and no log.
//
// A ConfigMap takes [MaxRecord] bytes.
package k8s
