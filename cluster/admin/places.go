package admin

import (
	"context"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// places bounds how many do something at a time, and how many wait for that.
type places struct {
	admitted chan struct{} // holds an entry for each that runs or waits
	running  chan struct{}
}

func newPlaces(running, waiting int) *places {
	return &places{make(chan struct{}, running+waiting), make(chan struct{}, running)}
}

// admit reserves a place, to run or to wait; false if there is none. It does not wait.
// Who got one leaves by leave.
func (p *places) admit() bool {
	select {
	case p.admitted <- struct{}{}:
		return true
	default:
		return false
	}
}

// enter waits for its turn; false if ctx ended before.
func (p *places) enter(ctx context.Context) bool {
	select {
	case p.running <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// exit ends a turn, leave gives back the place.
func (p *places) exit()  { <-p.running }
func (p *places) leave() { <-p.admitted }

// rooms are places by what is to be done: calls, which may take a minute, do not hold
// up those who look, and neither of them holds up who takes a member out.
type rooms struct{ looks, calls, operations *places }

func newRooms() rooms {
	return rooms{looks: newPlaces(maxAsks, maxAsksWaiting), calls: newPlaces(maxCalls, maxCalls), operations: newPlaces(maxOperations, maxOperations)}
}

func (r rooms) of(op Operation) *places {
	switch op {
	case Call:
		return r.calls
	case Drain, Leave:
		return r.operations
	default:
		return r.looks
	}
}

// operationOf is what a member is asked to do, as far as its place is concerned.
func operationOf(q *pb.Ask) Operation {
	switch q.GetWhat().(type) {
	case *pb.Ask_Call:
		return Call
	case *pb.Ask_Drain:
		return Drain
	case *pb.Ask_Leave:
		return Leave
	default:
		return Members
	}
}
