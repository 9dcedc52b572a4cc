package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/granary-go/granary/wire/granary"
)

// methodOptions is what an rpc says about itself.
type methodOptions struct {
	timeout     time.Duration // 0: nothing
	idempotent  bool
	reenterable bool
}

// optionsOf reads the options of an rpc; the error is for those that make no sense.
func optionsOf(method protoreflect.MethodDescriptor) (methodOptions, error) {
	set, ok := method.Options().(*descriptorpb.MethodOptions)
	if !ok || set == nil {
		return methodOptions{}, nil
	}
	own, _ := proto.GetExtension(set, granary.E_Method).(*granary.MethodOptions)
	read := methodOptions{
		idempotent:  set.GetIdempotencyLevel() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN,
		reenterable: own.GetReenterable(),
	}
	if len(own.ProtoReflect().GetUnknown()) > 0 {
		return read, problem(method, "its option (granary.method) says something that this protoc-gen-go-grain, %s, does not know; "+
			"take the version of the plugin that belongs to the options.proto", version)
	}
	if timeout := own.GetTimeout(); timeout != nil {
		read.timeout = timeout.AsDuration()
		if timeout.CheckValid() != nil || read.timeout <= 0 || read.timeout.Seconds() > maxTimeout.Seconds() {
			return read, problem(method, "the timeout of its option (granary.method) is %d s and %d ns; it must be positive, and %v at most",
				timeout.GetSeconds(), timeout.GetNanos(), maxTimeout)
		}
	}
	return read, nil
}

// maxTimeout is no less than anybody waits, and far from the end of durations.
const maxTimeout = 365 * 24 * time.Hour

// callOptions is the Go code of what calls of the rpc are made with, unless the
// caller says otherwise; empty if that is nothing.
func (o methodOptions) callOptions() string {
	var options []string
	if o.timeout > 0 {
		options = append(options, fmt.Sprintf("cluster.WithTimeout(%s)", durationCode(o.timeout)))
	}
	if o.idempotent {
		options = append(options, "cluster.WithIdempotent()")
	}
	return strings.Join(options, ", ")
}

// durationCode is a duration in the largest unit that it is whole in.
func durationCode(d time.Duration) string {
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Second, "time.Second"}, {time.Millisecond, "time.Millisecond"}, {time.Microsecond, "time.Microsecond"}} {
		if d%unit.size == 0 {
			return fmt.Sprintf("%d*%s", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%d*time.Nanosecond", d)
}

// callDoc is what the doc comment of a client's method says of them.
func (o methodOptions) callDoc() string {
	said := ""
	if o.timeout > 0 {
		said += fmt.Sprintf(" It takes %v at most, unless an option says otherwise.", o.timeout)
	}
	if o.idempotent {
		said += " It is idempotent: a call whose fate is unknown is made again, until its time is up."
	}
	return said
}

// methodDoc is what the doc comment of a grain's method says of them.
func (o methodOptions) methodDoc() string {
	if o.reenterable {
		return "The grain goes on with other messages while the method is in ctx.Await."
	}
	return ""
}
