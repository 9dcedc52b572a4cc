package zk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// farewell bounds how long a server may take to close a session; it ends by its time-out anyway.
const farewell = time.Second

var errClosed = errors.New("zk: the connection was closed")

// credential is one of WithAuth.
type credential struct {
	scheme string
	auth   []byte
}

// client is one session with ZooKeeper, and the library's goroutines that serve it.
//
// It comes in two kinds. The keeper holds a liveness key: it goes over to another server when a connection is lost, and
// ends for good when its session does. The other reads, writes and watches; it ends with its connection, as nothing
// depends on its session, and the store makes another: so nothing of the library's repair of watches is relied on.
//
// Nobody is dialled unless a call waits for it.
type client struct {
	hosts     *hosts
	dialer    Dialer
	keeper    bool
	handshake time.Duration
	conn      *zk.Conn
	events    <-chan zk.Event // closed when the library's goroutines have ended
	release   atomic.Bool     // the keeper's session may be closed: its key is deleted
	ctx       context.Context // ends with the client, and ends dials
	cancel    context.CancelFunc
	wake      chan struct{} // tells the dialer that somebody waits
	parked    chan struct{} // closed when the library has no connection, and will get none
	park      sync.Once
	calls     sync.WaitGroup

	mu         sync.Mutex // guards the fields below
	changed    chan struct{}
	up         bool
	gone       error // why there will be no connection any more
	closing    bool
	link       *link // the newest
	session    int64
	negotiated time.Duration // time-out of the session when it was opened
	shortest   time.Duration // that of its handshakes since: a server may grant less to a session that goes on
	attached   time.Time     // before the newest handshake that succeeded
	waiting    int           // calls
	failures   int           // in a row, to reach a server
	causes     map[string]error
}

// connect opens a session and presents the credentials.
func connect(ctx context.Context, h *hosts, dialer Dialer, auth []credential, timeout time.Duration, keeper bool) (*client, error) {
	c := &client{
		hosts: h, dialer: dialer, keeper: keeper, handshake: handshakeTime(ctx, h.Len()),
		wake: make(chan struct{}, 1), parked: make(chan struct{}), changed: make(chan struct{}), causes: map[string]error{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	conn, events, err := zk.Connect(h.names, timeout,
		zk.WithHostProvider(rotation{c}), zk.WithDialer(c.dial), zk.WithEventCallback(c.event),
		zk.WithLogger(silence{}), zk.WithLogInfo(false),
		zk.WithMaxBufferSize(maxFrame), zk.WithMaxConnBufferSize(maxRequest))
	if err != nil {
		c.cancel()
		return nil, err
	}
	c.conn, c.events = conn, events
	c.want(+1)
	err = c.await(ctx)
	c.want(-1)
	if err != nil {
		c.close()
		return nil, err
	}
	for _, a := range auth {
		_, err := call(ctx, c, func(conn *zk.Conn) (struct{}, error) { return struct{}{}, conn.AddAuth(a.scheme, slices.Clone(a.auth)) })
		if err != nil {
			c.close()
			return nil, fmt.Errorf("present credentials of the scheme %q: %w", a.scheme, err)
		}
	}
	return c, nil
}

// handshakeTime leaves time for another server when one does not answer.
func handshakeTime(ctx context.Context, servers int) time.Duration {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		return maxHandshakeTime
	}
	d := time.Until(deadline)
	if servers > 1 {
		d /= 2
	}
	return min(max(d, minHandshakeTime), maxHandshakeTime)
}

// call makes a call of the library, which knows no contexts. It returns when the context is done; a server that has not
// answered in time is given up, and the call ends with its connection.
func call[T any](ctx context.Context, c *client, do func(*zk.Conn) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	c.want(+1) // all the while: a connection that is lost before the call is sent is made anew
	defer c.want(-1)
	if err := c.await(ctx); err != nil {
		return none, err
	}
	l, ok := c.begin()
	if !ok {
		return none, errClosed
	}
	done := make(chan result, 1)
	go func() { // ends with the answer or the connection, at the latest in close, which waits for it
		defer c.calls.Done()
		v, err := do(c.conn)
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		c.giveUp(l, errors.New("no answer in time"))
		return none, fmt.Errorf("no answer from %s: %w", l.server, ctx.Err())
	}
	return none, ctx.Err()
}

// giveUp closes a connection, for one that does not answer as a rule. The next call makes another.
func (c *client) giveUp(l *link, why error) {
	_ = l.blame(why)
	_ = l.Close()
	c.change(func() {
		if c.link == l {
			c.lost()
		}
	})
}

func (c *client) begin() (*link, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return nil, false
	}
	c.calls.Add(1)
	return c.link, true
}

// await waits for a session. If that does not come in time, the error says why.
func (c *client) await(ctx context.Context) error {
	for {
		c.mu.Lock()
		up, gone, closing, changed := c.up, c.gone, c.closing, c.changed
		c.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return c.unreachable(ctx.Err())
		case gone != nil:
			return gone
		case closing:
			return errClosed
		case up:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// want counts who wants a connection.
func (c *client) want(more int) {
	c.mu.Lock()
	c.waiting += more
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default: // told already
	}
}

// unreachable tells what was tried, in the same words each time.
func (c *client) unreachable(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up {
		return err
	}
	var tried []string
	for _, server := range c.hosts.names {
		if cause := c.causes[server]; cause != nil {
			tried = append(tried, fmt.Sprintf("%s: %v", server, cause))
		} else {
			tried = append(tried, server+": no answer")
		}
	}
	return fmt.Errorf("no session with %s: %w", strings.Join(tried, "; "), err)
}

// change changes what is guarded, and wakes those who wait for it.
func (c *client) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

// ended tells why there will be no connection any more, nil as long as there may, and when to ask again.
func (c *client) ended() (again <-chan struct{}, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return c.changed, errClosed
	}
	return c.changed, c.gone
}

// expire ends the client for good: its session is over.
func (c *client) expire() {
	c.change(func() { c.up, c.gone = false, errSessionOver })
}

// event is called by the library's goroutines, and does not wait.
func (c *client) event(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	switch e.State {
	case zk.StateHasSession:
		c.change(c.attach)
	case zk.StateExpired:
		c.expire()
	case zk.StateDisconnected:
		c.change(c.lost)
	default: // on the way
	}
}

// close ends the session, or leaves the keeper's to its time-out, and waits until all goroutines have ended.
func (c *client) close() {
	var l *link
	var up bool
	c.change(func() { c.closing, l, up = true, c.link, c.up })
	c.cancel()
	bound := time.NewTimer(farewell)
	defer bound.Stop()
	if !up { // there is nothing to say goodbye to
		if l != nil {
			_ = l.Close()
		}
		select {
		case <-c.parked: // where the library notices at once that it is closed
		case <-bound.C:
		}
	}
	ended := make(chan struct{})
	go func() { // ends within seconds, as the library bounds it
		defer close(ended)
		c.conn.Close()
	}()
	for more := true; more; {
		select {
		case _, more = <-c.events:
		case <-bound.C:
			if l != nil {
				_ = l.Close() // a server that does not answer
			}
		}
	}
	<-ended
	c.calls.Wait()
}

// silence is the library's logger: what there is to tell is in errors.
type silence struct{}

func (silence) Printf(string, ...any) {}
