package dashboard

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// tryWithin bounds a question to one member, so that there is time for another.
	tryWithin = 3 * time.Second
	// maxAddresses is how many members a connection knows.
	maxAddresses = 128
)

// Connection is a grpc.ClientConnInterface to whichever member of a cluster answers. It
// talks to one, and goes on with the next when that one cannot be reached, does not
// answer within 3 s, or does not serve the admin service. It learns of members from the answers
// that they give. Its methods may be called from several goroutines.
type Connection struct {
	dial  func(address string) (*grpc.ClientConn, error)
	named []string // by the caller

	mu        sync.Mutex // guards what follows
	addresses []string
	at        int              // the place of the one that is talked to
	conn      *grpc.ClientConn // to that one; nil if it has not been dialled
	closed    bool
}

// Connect makes a connection to the first of some members that answers. It dials when it is
// first used, by the function, and closes what that gives. Without addresses every call
// fails.
func Connect(addresses []string, dial func(address string) (*grpc.ClientConn, error)) *Connection {
	return &Connection{dial: dial, named: slices.Clone(addresses), addresses: slices.Clone(addresses)}
}

// Close ends all calls. It may be called twice.
func (c *Connection) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}

// Invoke implements grpc.ClientConnInterface. What only looks is asked of one member after the
// other, each once; what changes something, of one.
func (c *Connection) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	for tries := 1; ; tries++ {
		conn, address, known, err := c.current()
		if conn == nil {
			return err
		}
		err = invoke(ctx, conn, method, args, reply, opts)
		if err == nil {
			if r, ok := reply.(*pb.MembersResponse); ok {
				c.learn(r)
			}
			return nil
		}
		if !moves(err) {
			return err
		}
		err = status.Errorf(status.Code(err), "%s does not answer: %s", address, status.Convert(err).Message())
		if ctx.Err() != nil || tries > known || changes(method) {
			return err
		}
		c.next(conn)
	}
}

func invoke(ctx context.Context, conn *grpc.ClientConn, method string, args, reply any, opts []grpc.CallOption) error {
	if !changes(method) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, tryWithin)
		defer cancel()
	}
	return conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements grpc.ClientConnInterface, at the member that is talked to. The stream
// ends when the connection goes on with another one.
func (c *Connection) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	conn, _, _, err := c.current()
	if conn == nil {
		return nil, err
	}
	return conn.NewStream(ctx, desc, method, opts...)
}

// current gives the connection to the member that is talked to, and how many are known.
func (c *Connection) current() (conn *grpc.ClientConn, address string, known int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, "", 0, status.Error(codes.Canceled, "dashboard: the connection is closed")
	case len(c.addresses) == 0:
		return nil, "", 0, status.Error(codes.InvalidArgument, "dashboard: no member is named: give the host:port of one")
	}
	address = c.addresses[c.at]
	if c.conn == nil {
		if c.conn, err = c.dial(address); err != nil {
			c.conn = nil
			return nil, "", 0, status.Errorf(codes.InvalidArgument, "dashboard: %s cannot be dialled: %v", address, err)
		}
	}
	return c.conn, address, len(c.addresses), nil
}

// next goes on with another member, unless somebody else has done so.
func (c *Connection) next(from *grpc.ClientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != from || from == nil {
		return
	}
	_ = c.conn.Close() // nothing is to be done about it
	c.conn = nil
	c.at = (c.at + 1) % len(c.addresses)
}

// learn knows the members of a view from now on, beside those that the caller has named.
func (c *Connection) learn(r *pb.MembersResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	talked, known := c.addresses[c.at], slices.Clone(c.named)
	for _, m := range r.GetMembers() {
		if len(known) < maxAddresses && m.GetAddress() != "" && !slices.Contains(known, m.GetAddress()) {
			known = append(known, m.GetAddress())
		}
	}
	if !slices.Contains(known, talked) {
		known = append(known, talked)
	}
	c.addresses, c.at = known, slices.Index(known, talked)
}

// moves reports whether another member may do better.
func moves(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Unimplemented, codes.Canceled:
		return true
	default:
		return errors.Is(err, context.DeadlineExceeded)
	}
}

// changes reports whether a method does more than look.
func changes(method string) bool {
	for _, name := range []string{"/Call", "/Drain", "/Leave"} {
		if strings.HasSuffix(method, name) {
			return true
		}
	}
	return false
}
