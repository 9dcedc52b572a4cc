package main

import (
	"fmt"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
)

// CodeSoldOut is the code of the error about too few pieces. It crosses both clusters.
const CodeSoldOut = cluster.CodeApplication + 1

// stock is a grain of the warehouse: the pieces of an article, in memory.
type stock struct {
	cluster.Grain

	pieces uint32
}

// Deliver adds pieces.
func (s *stock) Deliver(more *Pieces, _ cluster.GrainContext) (*Pieces, error) {
	s.pieces += more.Count
	return &Pieces{Count: s.pieces}, nil
}

// Take takes pieces, all or none.
func (s *stock) Take(want *Pieces, _ cluster.GrainContext) (*Pieces, error) {
	if want.Count > s.pieces {
		return nil, &cluster.GrainError{Code: CodeSoldOut, Message: fmt.Sprintf("of %d %ss there are %d", want.Count, s.ID(), s.pieces)}
	}
	s.pieces -= want.Count
	return &Pieces{Count: s.pieces}, nil
}

// Terminate has nothing to do.
func (*stock) Terminate() {}

// ReceiveDefault drops what is no call of the service.
func (*stock) ReceiveDefault(actor.Context) {}
