package cluster

import (
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

type withoutLeases struct{ driver.Provider }

type withLeases struct{ driver.Provider }

func (withLeases) LeaseTime() time.Duration { return time.Minute }

func TestStartPatience(t *testing.T) {
	for _, c := range []struct {
		provider driver.Provider
		opts     []Option
		want     time.Duration
	}{
		{withoutLeases{}, nil, DefaultStartTimeout},
		{withLeases{}, nil, DefaultStartTimeout + time.Minute},
		{withLeases{}, []Option{WithStartTimeout(0)}, DefaultStartTimeout + time.Minute},
		{withLeases{}, []Option{WithStartTimeout(time.Second)}, time.Second},
		{withLeases{}, []Option{WithStartTimeout(-time.Second)}, -time.Second}, // which validate refuses
	} {
		if got := Configure("c", c.provider, nil, c.opts...).startPatience(); got != c.want {
			t.Errorf("%T with %d options: %v, want %v", c.provider, len(c.opts), got, c.want)
		}
	}
}
