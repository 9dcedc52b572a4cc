// Package k8s keeps the membership of a cluster in Kubernetes.
package k8s
