package cluster

import (
	"context"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/granary-go/granary/actor"
)

// Limits of what a call carries beside its message.
const (
	// MaxHeaders is how many headers a call carries.
	MaxHeaders = 64
	// MaxHeaderBytes bounds their names and values together.
	MaxHeaderBytes = 8 << 10
)

type headerKey struct{}

// WithHeader gives a context whose calls carry a header: a word about the call,
// such as a tenant or a trace, that is none of the method's business. It
// reaches the grain, and goes on to the calls that the grain makes with its
// context. A later one of the same name takes its place. The name must not be
// empty, both are valid UTF-8, and a call with more than [MaxHeaders] or
// [MaxHeaderBytes] fails with [ErrInvalidMessage].
//
// An actor that is no generated grain finds the headers in its MessageHeader.
func WithHeader(ctx context.Context, name, value string) context.Context {
	header := maps.Clone(HeaderFrom(ctx))
	if header == nil {
		header = make(actor.MessageHeader, 1)
	}
	header[name] = value
	return context.WithValue(ctx, headerKey{}, header)
}

// HeaderFrom gives the headers that a call with this context carries: in a grain,
// those of the call that it serves. It is nil if there are none, and must not be
// changed.
func HeaderFrom(ctx context.Context) actor.MessageHeader {
	header, _ := ctx.Value(headerKey{}).(actor.MessageHeader)
	return header
}

func checkHeader(header actor.MessageHeader) error {
	if len(header) > MaxHeaders {
		return fmt.Errorf("%w: it has %d headers, the limit is %d", ErrInvalidMessage, len(header), MaxHeaders)
	}
	size := 0
	for name, value := range header {
		size += len(name) + len(value)
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return fmt.Errorf("%w: the header %.40q is empty or not valid UTF-8", ErrInvalidMessage, name)
		}
	}
	if size > MaxHeaderBytes {
		return fmt.Errorf("%w: its headers have %d bytes, the limit is %d", ErrInvalidMessage, size, MaxHeaderBytes)
	}
	return nil
}

// under puts headers around a message. One that has its own keeps them, where both
// have a name.
func under(header actor.MessageHeader, message any) any {
	if len(header) == 0 {
		return message
	}
	if env, ok := message.(*actor.MessageEnvelope); ok && env != nil {
		both := *env
		both.Header = maps.Clone(header)
		maps.Copy(both.Header, env.Header)
		return &both
	}
	return &actor.MessageEnvelope{Header: header, Message: message}
}
