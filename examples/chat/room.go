package main

import (
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/remote"
)

const (
	// CodeInvalid is the code of the error about a request that makes no sense.
	CodeInvalid = cluster.CodeApplication + iota
	// CodeFull is that of the error about one guest too many.
	CodeFull
)

// Limits of a room.
const (
	maxGuests = 200
	maxName   = 40   // bytes
	maxText   = 2000 // bytes
)

// room is the grain. It keeps who is there in memory: when it comes to another member its guests enter it again.
type room struct {
	cluster.Grain

	guests map[string]guest // by the key of the listener, as a guest may have several
}

// guest is one open page of somebody.
type guest struct {
	name     string
	listener *actor.PID
}

func newRoom() Room { return &room{guests: make(map[string]guest)} }

// Enter lets a guest in, and watches the listener: its end is the guest's leave.
func (r *room) Enter(who *Guest, ctx cluster.GrainContext) (*Done, error) {
	if who.Name == "" || len(who.Name) > maxName || who.Listener == nil {
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: fmt.Sprintf("a guest has a listener, and a name of 1 to %d bytes", maxName)}
	}
	listener := remote.FromProto(who.Listener)
	switch _, there := r.guests[listener.String()]; {
	case there:
		return new(Done), nil
	case len(r.guests) >= maxGuests:
		return nil, &cluster.GrainError{Code: CodeFull, Message: fmt.Sprintf("the room has %d guests, which is the limit", maxGuests)}
	}
	ctx.Watch(listener)
	r.guests[listener.String()] = guest{who.Name, listener}
	r.tell(ctx, &Line{Text: who.Name + " is here"})
	return new(Done), nil
}

// Say tells all guests.
func (r *room) Say(line *Line, ctx cluster.GrainContext) (*Done, error) {
	if line.Guest == "" || len(line.Guest) > maxName || line.Text == "" || len(line.Text) > maxText {
		return nil, &cluster.GrainError{Code: CodeInvalid, Message: fmt.Sprintf("a line has a guest, and a text of 1 to %d bytes", maxText)}
	}
	r.tell(ctx, line)
	return new(Done), nil
}

// ReceiveDefault hears of listeners that are gone: their pages were closed, or their members were lost.
func (r *room) ReceiveDefault(ctx actor.Context) {
	if gone, ok := ctx.Message().(*actor.Terminated); ok {
		if left, there := r.guests[gone.Who.String()]; there {
			delete(r.guests, gone.Who.String())
			r.tell(ctx, &Line{Text: left.name + " has left"})
		}
	}
}

// tell sends a line to all listeners, wherever they are.
func (r *room) tell(ctx actor.Context, line *Line) {
	for _, g := range r.guests {
		ctx.Send(g.listener, line)
	}
}

// Terminate has nothing to do: the guests notice by themselves.
func (*room) Terminate() {}
