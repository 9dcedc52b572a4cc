package consul

import (
	"log/slog"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

const leaseTime = 2 * time.Second

func request(id driver.MemberID, address string) driver.Request {
	return driver.Request{
		Cluster: "test", BindHost: "127.0.0.1", Logger: slog.New(slog.DiscardHandler), Member: driver.Member{
			ID: id, Address: address, Kinds: []driver.Kind{{Name: "Ponger", Guarantee: driver.Leased}},
			Versions: driver.Versions{Min: 1, Max: 1},
		},
	}
}
