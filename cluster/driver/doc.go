// Package driver holds the nouns of a cluster and what a membership provider
// must do for it. It imports the standard library only, so that a provider
// written elsewhere needs nothing else from this module.
//
// Users of a cluster do not call this package: they build a provider (for
// example automanaged.New) and hand it to cluster.Configure. Implementers
// satisfy [Provider]; the cluster owns every retry, every timer and the
// decision what a change of view means, so that a provider stays small.
package driver
