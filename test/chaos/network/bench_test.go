package network_test

import (
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/granary-go/granary/test/chaos/network"
)

// BenchmarkRoundTrip sends small messages back and forth between each two of five hosts. Its CPU time is that of both
// ends, the kernel's share included, and of the network; a loopback is there to compare with.
func BenchmarkRoundTrip(b *testing.B) {
	for _, name := range []string{"loopback", network.Namespaces, network.Proxies} {
		b.Run(name, func(b *testing.B) {
			conns := meshed(b, name)
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			before := cpu(b)
			var running sync.WaitGroup
			for _, conn := range conns {
				running.Go(func() {
					message := make([]byte, 200)
					for left.Add(-1) >= 0 {
						if _, err := conn.Write(message); err != nil {
							b.Error(err)
						}
						if _, err := io.ReadFull(conn, message); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// meshed connects each two of five hosts, whose replies are echoes.
func meshed(b *testing.B, mode string) (conns []net.Conn) {
	b.Helper()
	if mode == "loopback" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = l.Close() })
		go echo(l)
		for range 10 {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			conns = append(conns, conn)
		}
		return conns
	}
	n, err := network.New(network.WithMode(mode))
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = n.Close() })
	var hosts []*network.Host
	for i := range 5 {
		h, err := n.Host(strconv.Itoa(i))
		if err != nil {
			b.Fatal(err)
		}
		l, err := h.Listen(4000)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = l.Close() })
		go echo(l)
		for _, other := range hosts {
			conn, err := other.Dial(b.Context(), l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			conns = append(conns, conn)
		}
		hosts = append(hosts, h)
	}
	return conns
}

// cpu is how much of it this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
