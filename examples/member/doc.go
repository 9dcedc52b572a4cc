// Command member is a member of a cluster on Kubernetes, as an image: the program of docs/guides/kubernetes.md with a grain that
// counts, and the Dockerfile for it. The image holds the program alone and runs without rights.
//
//	docker build --file examples/member/Dockerfile --tag example.com/shop:1 .        # in the root of the repository
//
// The manifests for it are in cluster/k8s/manifests. No image is built by the tests, which have no Docker: make test-all
// builds the program as the Dockerfile says, and looks that it needs no file of an operating system.
package main
