package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/automanaged"
	"github.com/granary-go/granary/cmd/granary/internal/demopb"
	"github.com/granary-go/granary/remote"
)

// How a member process is started: MemberVerb, with these flags.
const (
	MemberVerb = "demo-member"
	NumberFlag = "number"
	PingFlag   = "ping"
)

// What parent and member say to each other, a line each: a word, and what it
// is about behind a space. In this order, where "grains" may come often:
//
//	member: listening ADDRESS      pings are answered there
//	parent: hosts ADDRESS,ADDRESS  where to look for members
//	member: ready ADDRESS          it is in the view; its actors are there
//	member: grains N               so many are active
//	parent: stop                   shut down gracefully
//
// The end of its input tells a member that its parent is gone.
const (
	wordListening = "listening"
	wordHosts     = "hosts"
	wordReady     = "ready"
	wordGrains    = "grains"
	wordStop      = "stop"
)

const (
	clusterName = "granary-demo"
	loopback    = "127.0.0.1"
	// countEvery is how often a member tells how many grains it has.
	countEvery = 100 * time.Millisecond
)

// Member is a member process.
type Member struct {
	// Number is what the demo calls it.
	Number int
	// Ping is the time between two pings.
	Ping time.Duration
}

// Run is the life of a member process, which talks to its parent over in and
// out and logs to the standard error. It returns when it has shut down, because
// the parent or a SIGTERM said so, or at once when the parent is gone.
func (m Member) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt) // Ctrl-C reaches the whole group; the parent decides what it means
	orders := listen(in)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return err
	}
	fmt.Fprintln(out, wordListening, listener.Addr())
	word, hosts := orders.next(ctx)
	if word != wordHosts {
		return errors.Join(listener.Close(), orders.ended(ctx, word))
	}

	var active atomic.Int64
	c := cluster.New(actor.NewActorSystem(actor.WithLogger(m.logger())), cluster.Configure(clusterName,
		m.provider(listener, strings.Split(hosts, ",")), remote.Configure(loopback, 0),
		demopb.NewCounterKind(func() demopb.Counter { return &counter{member: int32(m.Number), active: &active} }), admin.Serve(),
		cluster.WithLabels(map[string]string{"number": strconv.Itoa(m.Number), "pid": strconv.Itoa(os.Getpid())})))
	running, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer stop()
		word, _ = orders.next(running)
	})
	if err := c.StartContext(running); err != nil {
		stop()
		wg.Wait()
		if word == wordStop {
			return nil
		}
		return err
	}
	fmt.Fprintln(out, wordReady, c.ActorSystem().Address())
	wg.Go(func() { count(running, out, &active) })
	wg.Wait()
	if err := orders.ended(ctx, word); err != nil {
		return err // nobody is left whom a farewell would matter to
	}
	return c.Shutdown(true)
}

func (m Member) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("process", m.Number)
}

// provider answers pings on a listener that is open already: so all members
// have a port before anybody needs to know it.
func (m Member) provider(open net.Listener, hosts []string) *automanaged.Provider {
	address, _ := open.Addr().(*net.TCPAddr)
	first := make(chan net.Listener, 1)
	first <- open
	return automanaged.NewWithConfig(m.Ping, address.Port, hosts...).WithListener(
		func(ctx context.Context, at string) (net.Listener, error) {
			select {
			case l := <-first:
				return l, nil
			default: // it was removed and joins again
				return new(net.ListenConfig).Listen(ctx, "tcp", at)
			}
		})
}

// count tells how many grains there are, when that has changed.
func count(ctx context.Context, out io.Writer, active *atomic.Int64) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for told := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if n := active.Load(); n != told {
			told = n
			fmt.Fprintln(out, wordGrains, n)
		}
	}
}

// orders are the lines of the parent. The channel is closed at their end.
type orders <-chan string

// listen reads lines. Its goroutine ends with the input, or with the process.
func listen(in io.Reader) orders {
	lines := make(chan string, 4)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// next gives the next line; two empty strings when there is none or the context
// is done.
func (o orders) next(ctx context.Context) (word, about string) {
	select {
	case line := <-o:
		word, about, _ = strings.Cut(line, " ")
	case <-ctx.Done():
	}
	return word, about
}

// ended is nil if a member was told to end, by its parent's last word or by a
// signal, and an error if its parent is gone.
func (o orders) ended(ctx context.Context, word string) error {
	if word != wordStop && ctx.Err() == nil {
		return errors.New("the demo that started this member is gone")
	}
	return nil
}
