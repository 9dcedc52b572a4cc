package admin

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"sync"

	"github.com/granary-go/granary/actor"
	pb "github.com/granary-go/granary/wire/adminpb"
)

// idBytes is how long the id of a question is, and a nonce.
const idBytes = 16

// pending are the questions of this process that change something, as long as their answers
// are waited for. Whom a message says that it is from proves nothing: the member that is
// asked looks here before it acts.
type pending struct {
	mu  sync.Mutex // guards ids
	ids map[string]struct{}
}

// add gives an id to a question.
func (p *pending) add() []byte {
	id := randomBytes()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids = make(map[string]struct{})
	}
	p.ids[string(id)] = struct{}{}
	return id
}

// take reports whether a question is waiting, and has not been confirmed before.
func (p *pending) take(id []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, waiting := p.ids[string(id)]
	delete(p.ids, string(id))
	return waiting
}

func randomBytes() []byte {
	b := make([]byte, idBytes)
	_, _ = rand.Read(b) // never fails
	return b
}

// needsMember reports whether a question is for members alone: one that changes something.
func needsMember(q *pb.Ask) bool {
	switch q.GetWhat().(type) {
	case *pb.Ask_Call, *pb.Ask_Drain, *pb.Ask_Leave:
		return true
	default:
		return false
	}
}

func (s *server) isMember(address string) bool {
	for _, m := range s.cluster.Members() {
		if m.Address == address {
			return true
		}
	}
	return false
}

// confirmed asks the member that a question seems to come from whether it has put it. It
// gives a failure if not, and nil if it has. It takes half of the timeout at most, so
// that the member hears of it.
func (s *server) confirmed(ctx context.Context, address string, question *pb.Ask) *pb.Answer {
	if !s.isMember(address) {
		return failed(s.self(), pb.Reason_REASON_NOT_ALLOWED, "only members of the view may ask for this, and the asker is none")
	}
	if len(question.GetId()) != idBytes {
		return failed(s.self(), pb.Reason_REASON_NOT_ALLOWED, "the question has no id to be confirmed by: it is of another version")
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.timeout/2)
	defer cancel()
	nonce := randomBytes()
	said, err := actor.Ask[*pb.Answer](ctx, s.system.Root, actor.NewPID(address, actorName),
		&pb.Ask{What: &pb.Ask_Confirm{Confirm: &pb.ConfirmAsk{Id: question.Id, Nonce: nonce}}})
	switch {
	case err != nil:
		_, why := unanswered(err)
		return failed(s.self(), pb.Reason_REASON_SILENT, fmt.Sprintf("the member that this came from, %s, has not confirmed it: %s", clean(address, maxName), why))
	case !said.GetConfirm().GetWaiting() || !bytes.Equal(said.GetConfirm().GetNonce(), nonce):
		return failed(s.self(), pb.Reason_REASON_NOT_ALLOWED, "the member that this seems to come from has not asked for it")
	default:
		return nil
	}
}

// confirm answers such a question.
func (s *server) confirm(q *pb.ConfirmAsk) *pb.Answer {
	return &pb.Answer{What: &pb.Answer_Confirm{Confirm: &pb.Confirmation{Nonce: q.GetNonce(), Waiting: s.pending.take(q.GetId())}}}
}
