//go:build !linux

package servertest

import (
	"context"
	"net"
)

// hold finds out whether a port is free now. Other systems than Linux let nobody listen where a socket is bound, so that
// somebody else may take the port before the server does, if he asks for this very one.
func hold(port int) (release func(), err error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", At(port))
	if err != nil {
		return nil, err
	}
	return func() {}, l.Close()
}
