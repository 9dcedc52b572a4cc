package zk

import (
	"net"
	"time"
)

const leaseTime = 2 * time.Second

var tcp = new(net.Dialer).DialContext
