package latch

import (
	"context"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/record"
)

// New makes a provider on the service at an address, host:port, which it serves one session at a time. Options say, for
// example, how long a lease is.
func New(address string, opts ...record.Option) *record.Provider {
	return record.New(func(ctx context.Context, r driver.Request, _ bool) (driver.RecordStore, error) {
		s := &store{client: connect(address, "cluster "+r.Cluster)}
		if _, err := s.Read(ctx); err != nil { // so that Join fails at once where there is no service
			s.client.close()
			return nil, err
		}
		return s, nil
	}, opts...)
}
