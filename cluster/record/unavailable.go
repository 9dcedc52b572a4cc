package record

import (
	"context"
	"errors"
	"net"

	"github.com/granary-go/granary/cluster/driver"
)

// unavailable is an error of a store that could not be reached; its text is the store's.
type unavailable struct{ error }

// Is makes it a [driver.ErrUnavailable].
func (unavailable) Is(target error) bool { return target == driver.ErrUnavailable }

// Unwrap gives the store's error.
func (e unavailable) Unwrap() error { return e.error }

// mayPass makes an error of a store a [driver.ErrUnavailable] if it says that nobody answered, or that the network did
// not bring it there. That a server has refused the connection's TLS is an answer.
func mayPass(err error) error {
	var network *net.OpError
	var name *net.DNSError
	switch {
	case err == nil, errors.Is(err, driver.ErrUnavailable):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &name):
	case errors.As(err, &network) && network.Op != "remote error":
	default:
		return err
	}
	return unavailable{err}
}
