package cluster

import (
	"slices"
	"time"
)

// GrainCallOption changes one call. *GrainCallOptions is one, and so is what
// [WithRetry] and [WithTimeout] return.
type GrainCallOption interface{ applyCall(*callSettings) }

type callSettings struct {
	timeout time.Duration
	retries int
}

type callOption func(*callSettings)

func (o callOption) applyCall(s *callSettings) { o(s) }

// WithRetry allows a call to be sent again, up to n times, when it is unknown
// whether an earlier try ran: the call may then run more than once. Defaults
// to 0. Tries that certainly did not run are repeated without it, and do not
// count.
func WithRetry(n int) GrainCallOption {
	return callOption(func(s *callSettings) { s.retries = max(n, 0) })
}

// WithTimeout bounds a call in all its tries together. Zero or less leaves the
// cluster's request timeout, or the deadline of the call's context.
func WithTimeout(d time.Duration) GrainCallOption {
	return callOption(func(s *callSettings) { s.timeout = d })
}

// GrainCallOptions gathers options for calls. It is immutable: its methods
// return changed copies, so that a value may be shared.
type GrainCallOptions struct {
	opts []GrainCallOption
}

// NewGrainCallOptions gives the defaults for calls through a cluster.
func NewGrainCallOptions(_ *Cluster) *GrainCallOptions { return &GrainCallOptions{} }

// WithRetry is [WithRetry].
func (o *GrainCallOptions) WithRetry(n int) *GrainCallOptions { return o.with(WithRetry(n)) }

// WithTimeout is [WithTimeout].
func (o *GrainCallOptions) WithTimeout(d time.Duration) *GrainCallOptions {
	return o.with(WithTimeout(d))
}

func (o *GrainCallOptions) with(opt GrainCallOption) *GrainCallOptions {
	return &GrainCallOptions{opts: append(slices.Clip(o.opts), opt)}
}

func (o *GrainCallOptions) applyCall(s *callSettings) {
	if o == nil {
		return
	}
	for _, opt := range o.opts {
		opt.applyCall(s)
	}
}

func newCallSettings(opts []GrainCallOption) callSettings {
	var s callSettings
	for _, o := range opts {
		if o != nil {
			o.applyCall(&s)
		}
	}
	return s
}
