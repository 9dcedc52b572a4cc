package admin

import (
	"fmt"
	"reflect"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster"
	pb "github.com/granary-go/granary/wire/adminpb"
)

const (
	// maxSamples is how many dead letters are kept of each second, and maxOfType how many of
	// one type of message: so those of one sort do not hide the others. Of those that
	// are not kept there is a count.
	maxSamples = 10
	maxOfType  = 3
	// flushAfter is when the count is told if no sample comes that tells it.
	flushAfter = time.Second
)

// samples are what a journal keeps of dead letters. Its mutex guards them.
type samples struct {
	dead   uint64 // since the beginning
	untold uint64 // since the last sample
	second int64  // that the counts below are of
	kept   int
	types  map[string]int // how many were kept; at most maxSamples types
	last   *pb.DeadLetter // the last that was not kept
	timer  *time.Timer    // tells it, if nothing else does
	ended  bool
}

func (s *samples) end() {
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// take counts a dead letter. It gives what is to be told, nil if nothing is.
func (s *samples) take(d *pb.DeadLetter, second int64) *pb.DeadLetter {
	s.dead++
	s.untold++
	if second != s.second {
		s.second, s.kept, s.types = second, 0, make(map[string]int)
	}
	if s.kept >= maxSamples || s.types[d.MessageType] >= maxOfType {
		s.last = d
		return nil
	}
	s.kept++
	s.types[d.MessageType]++
	return s.tell(d)
}

// tell gives a sample the count of all that were not told before.
func (s *samples) tell(d *pb.DeadLetter) *pb.DeadLetter {
	d.Count, s.untold, s.last = s.untold, 0, nil
	return d
}

// deadLetter keeps a few dead letters of each second, and counts all.
func (j *journal) deadLetter(e *actor.DeadLetterEvent) {
	target := "nobody"
	if e.PID != nil {
		target = e.PID.Address + "/" + e.PID.Id
	}
	d := &pb.DeadLetter{Target: clean(target, maxName), MessageType: clean(messageType(e.Message), maxName), Reason: clean(e.Reason, maxName)}
	j.mu.Lock()
	told := j.samples.take(d, time.Now().Unix())
	if told == nil && j.samples.timer == nil && !j.samples.ended {
		j.samples.timer = time.AfterFunc(flushAfter, j.flush)
	}
	j.mu.Unlock()
	if told != nil {
		j.add(&pb.Event{What: &pb.Event_DeadLetter{DeadLetter: told}})
	}
}

// flush tells how a burst of dead letters went on behind its last sample.
func (j *journal) flush() {
	j.mu.Lock()
	j.samples.timer = nil
	if j.samples.last == nil || j.samples.ended {
		j.mu.Unlock()
		return
	}
	told := j.samples.tell(j.samples.last)
	j.mu.Unlock()
	j.add(&pb.Event{What: &pb.Event_DeadLetter{DeadLetter: told}})
}

// messageType names a message by what it is: a grain's request by its method.
func messageType(message any) string {
	switch m := message.(type) {
	case nil:
		return "nil"
	case *cluster.GrainRequest:
		return "call of " + m.Method
	case proto.Message:
		if v := reflect.ValueOf(m); v.Kind() == reflect.Pointer && v.IsNil() {
			return fmt.Sprintf("%T", message)
		}
		return string(m.ProtoReflect().Descriptor().FullName())
	default:
		return fmt.Sprintf("%T", message)
	}
}
