package partition

import (
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// packet carries a machine's message to another member's.
type packet struct {
	From    driver.MemberID
	Message placement.Message
}

// resolveRequest and resolveAnswer are what a Lookup and an owner exchange.
type resolveRequest struct {
	Epoch    uint64
	Identity driver.Identity
	Hint     driver.MemberID
	Suspect  driver.Fence
}

type resolveAnswer struct {
	Outcome placement.Outcome
	Host    driver.MemberID
	Fence   driver.Fence
	Epoch   uint64
}

// Events that stay in the process.
type (
	viewEvent   struct{ *viewState }
	tickEvent   struct{}
	leaseEvent  struct{}
	beginEvent  struct{ placement.StopBegun }
	surveyQuery struct{}
	settleQuery struct{}
	settled     struct{}
)
