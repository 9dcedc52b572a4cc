package trio

import (
	"context"
	"net"
)

const loopback = "127.0.0.1"

// seats are those of all members, and of a client. The ports were free a moment ago.
func seats() (found [Size + 1]Seat, err error) {
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close() // nobody has connected
		}
	}()
	var hosts, others []string
	for i := range found {
		s := &found[i]
		s.Number = i
		var addresses [len(s.Ports)]string
		for k := range s.Ports {
			l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", loopback+":0")
			if err != nil {
				return found, err
			}
			listeners = append(listeners, l)
			addresses[k] = l.Addr().String()
			if at, ok := l.Addr().(*net.TCPAddr); ok {
				s.Ports[k] = at.Port
			}
		}
		if i < Size {
			hosts, others = append(hosts, addresses[0]), append(others, addresses[1])
		}
	}
	for i := range found {
		found[i].Hosts, found[i].Others = hosts, others
	}
	return found, nil
}
