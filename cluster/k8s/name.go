package k8s

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// Names in Kubernetes are short and of few characters; those of clusters, members and kinds are not. What fits is taken
// as it is, for people to recognise; of the rest as much as fits, with a hash of the whole behind a dot, which no name
// that fits has.
var (
	fitsCluster = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)
	fitsMember  = regexp.MustCompile(`^[A-Z0-9]{1,40}$`) // as the cluster makes them up; in lower case
	fitsKind    = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_]{0,48}[A-Za-z0-9])?$`)
	fitsLabel   = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	unfit       = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

const (
	// keptLetters is how much is kept of a name that does not fit.
	keptLetters = 24
	// hashLetters are so many that no two names meet.
	hashLetters = 24
	namePrefix  = "granary-"
)

// hashed makes a name of a text that is none.
func hashed(text string) string {
	kept := unfit.ReplaceAllString(text, "-")
	kept = strings.Trim(kept[:min(len(kept), keptLetters)], "-")
	if kept == "" {
		kept = "x"
	}
	sum := sha256.Sum256([]byte(text))
	return kept + "." + hex.EncodeToString(sum[:])[:hashLetters]
}

// clusterWord names a cluster in names and in the value of a label.
func clusterWord(cluster string) string {
	if fitsCluster.MatchString(cluster) {
		return cluster
	}
	return strings.ToLower(hashed(cluster))
}

// memberWord names a member in the name of its Lease.
func memberWord(id string) string {
	if fitsMember.MatchString(id) {
		return strings.ToLower(id)
	}
	return strings.ToLower(hashed(id))
}

// kindWord names a kind in the key of a label.
func kindWord(kind string) string {
	if fitsKind.MatchString(kind) {
		return kind
	}
	return hashed(kind)
}

// recordName is the name of a cluster's ConfigMap.
func recordName(cluster string) string { return namePrefix + clusterWord(cluster) }

// leaseName is the name of a member's Lease.
func leaseName(cluster, id string) string {
	return namePrefix + clusterWord(cluster) + "." + memberWord(id)
}
