package remote

import (
	"fmt"
	"strings"

	"github.com/granary-go/granary/actor"
)

// maxReason bounds what a replyLost says, in bytes.
const maxReason = 1 << 10

// replyLost tells a future, here or at a peer, that its answer will not come. No
// actor sees it.
type replyLost struct{ reason string }

func newReplyLost(reason string) *replyLost {
	return &replyLost{reason: strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")}
}

// tellAsker is tell for an asker who may be at a peer.
func (l *replyLost) tellAsker(p actor.Process, asker *actor.PID, from string) {
	if ep, ok := p.(*endpoint); ok {
		ep.SendUserMessage(asker, actor.MessageEnvelope{Message: l})
		return
	}
	l.tell(p, from)
}

// tell ends the future that p is; anybody else waits for no answer. from is the
// address where the answer was lost.
func (l *replyLost) tell(p actor.Process, from string) {
	if f, ok := p.(*actor.Future); ok {
		f.Fail(fmt.Errorf("%w: from %s: %s", ErrReplyLost, from, l.reason))
	}
}
