package cluster

import (
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// GrainCallOption changes one call. *GrainCallOptions is one, and so is what
// [WithRetry] and [WithTimeout] return.
type GrainCallOption interface{ applyCall(*callSettings) }

type callSettings struct {
	timeout time.Duration
	retries int
	id      string
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

// WithIdempotent is WithRetry without a bound: a call whose fate is unknown is sent
// again until its time is up. It is for methods that may run any number of times,
// as rpcs say of themselves by the option idempotency_level of protobuf.
func WithIdempotent() GrainCallOption { return WithRetry(math.MaxInt) }

// WithTimeout bounds a call in all its tries together. Zero or less leaves the
// cluster's request timeout, or the deadline of the call's context.
func WithTimeout(d time.Duration) GrainCallOption {
	return callOption(func(s *callSettings) { s.timeout = d })
}

// MaxCallIDLength bounds the id of a call, in bytes.
const MaxCallIDLength = 128

// WithCallID names a call, so that a kind made [WithDeduplication] knows it again
// when it is made twice, as by a program that is not sure whether its first call
// came through. All tries of one call share an id without it. It is valid UTF-8
// of at most [MaxCallIDLength] bytes.
func WithCallID(id string) GrainCallOption {
	return callOption(func(s *callSettings) { s.id = id })
}

// named checks the call's id, and makes one if the call may run twice.
func (s *callSettings) named() error {
	if len(s.id) > MaxCallIDLength || !utf8.ValidString(s.id) {
		return fmt.Errorf("%w: the call id %.40q has %d bytes, the limit is %d, or is not valid UTF-8", ErrInvalidMessage, s.id, len(s.id), MaxCallIDLength)
	}
	if s.id == "" && s.retries > 0 {
		s.id = rand.Text()
	}
	return nil
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
