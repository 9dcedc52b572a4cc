package partition

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster/driver"
	pb "github.com/granary-go/granary/cluster/internal/lookup/placementpb"
	"github.com/granary-go/granary/internal/placement"
)

var (
	packetName  = string((*pb.Packet)(nil).ProtoReflect().Descriptor().FullName())
	requestName = string((*pb.ResolveRequest)(nil).ProtoReflect().Descriptor().FullName())
	answerName  = string((*pb.ResolveAnswer)(nil).ProtoReflect().Descriptor().FullName())
)

var errMalformed = errors.New("partition: malformed placement message")

// Codec carries the lookup's messages across processes. It has the form of a
// codec of package remote.
type Codec struct{}

// Encode gives the wire name and the bytes of one of the lookup's messages;
// ok is false for any other.
func (Codec) Encode(message any) (name string, data []byte, ok bool, err error) {
	var wire proto.Message
	switch m := message.(type) {
	case *packet:
		if p, ok := m.Message.(*placement.Promise); ok {
			data, err = encodePromise(m.From, p)
			return packetName, data, true, err
		}
		p, err := packetToWire(m)
		if err != nil {
			return packetName, nil, true, err
		}
		name, wire = packetName, p
	case *resolveRequest:
		name, wire = requestName, &pb.ResolveRequest{
			Epoch: m.Epoch, Kind: m.Identity.Kind, Name: m.Identity.Name,
			Hint: string(m.Hint), Suspect: fenceToWire(m.Suspect),
		}
	case *resolveAnswer:
		name, wire = answerName, &pb.ResolveAnswer{
			Outcome: uint32(m.Outcome), Host: string(m.Host), Fence: fenceToWire(m.Fence), Epoch: m.Epoch,
		}
	default:
		if name, wire = explainToWire(m); wire == nil {
			return "", nil, false, nil
		}
	}
	data, err = proto.Marshal(wire)
	return name, data, true, err
}

// Decode is the reverse of Encode.
func (Codec) Decode(name string, data []byte) (message any, ok bool, err error) {
	switch name {
	case packetName:
		if p, ok := decodePromise(data); ok {
			return p, true, nil
		}
		var p pb.Packet
		if err := proto.Unmarshal(data, &p); err != nil {
			return nil, true, err
		}
		message, err = packetFromWire(&p)
		return message, true, err
	case requestName:
		var r pb.ResolveRequest
		if err := proto.Unmarshal(data, &r); err != nil {
			return nil, true, err
		}
		message, err = requestFromWire(&r)
		return message, true, err
	case answerName:
		var a pb.ResolveAnswer
		if err := proto.Unmarshal(data, &a); err != nil {
			return nil, true, err
		}
		if a.Outcome < uint32(placement.Found) || a.Outcome > uint32(placement.Wait) {
			return nil, true, fmt.Errorf("%w: outcome %d", errMalformed, a.Outcome)
		}
		return &resolveAnswer{
			Outcome: placement.Outcome(a.Outcome), Host: driver.MemberID(a.Host),
			Fence: fenceFromWire(a.Fence), Epoch: a.Epoch,
		}, true, nil
	default:
		return explainFromWire(name, data)
	}
}

// requestFromWire checks what it decodes: requests come from clients too.
func requestFromWire(r *pb.ResolveRequest) (*resolveRequest, error) {
	if err := checkIdentity(r.Kind, r.Name); err != nil {
		return nil, err
	}
	return &resolveRequest{
		Epoch: r.Epoch, Identity: driver.Identity{Kind: r.Kind, Name: r.Name},
		Hint: driver.MemberID(r.Hint), Suspect: fenceFromWire(r.Suspect),
	}, nil
}

func checkIdentity(kind, name string) error {
	if err := checkWord("kind", kind, driver.MaxKindLength); err != nil {
		return err
	}
	return checkWord("identity", name, driver.MaxIdentityLength)
}

func checkWord(what, word string, limit int) error {
	if word == "" || len(word) > limit {
		return fmt.Errorf("%w: the %s has %d bytes, it must have 1 to %d", errMalformed, what, len(word), limit)
	}
	return nil
}

func packetToWire(p *packet) (*pb.Packet, error) {
	w := &pb.Packet{From: string(p.From)}
	switch m := p.Message.(type) {
	case *placement.Prepare:
		w.Message = &pb.Packet_Prepare{Prepare: &pb.Prepare{Term: m.Term, Slots: slotsToWire(m.Slots)}}
	case *placement.Spawn:
		w.Message = &pb.Packet_Spawn{Spawn: entryToWire(placement.Entry(*m))}
	case *placement.Spawned:
		w.Message = &pb.Packet_Spawned{Spawned: &pb.Spawned{
			Entry:   entryToWire(placement.Entry{Identity: m.Identity, Fence: m.Fence}),
			Verdict: uint32(m.Verdict), Reason: uint32(m.Reason), Existing: fenceToWire(m.Existing),
		}}
	case *placement.Deactivated:
		w.Message = &pb.Packet_Deactivated{Deactivated: &pb.Entries{Entries: entriesToWire(m.Entries)}}
	case *placement.DeactivatedAck:
		w.Message = &pb.Packet_DeactivatedAck{DeactivatedAck: &pb.Entries{Entries: entriesToWire(m.Entries)}}
	case *placement.Verify:
		w.Message = &pb.Packet_Verify{Verify: entryToWire(placement.Entry(*m))}
	case *placement.Verified:
		w.Message = &pb.Packet_Verified{Verified: &pb.Verified{
			Entry: entryToWire(placement.Entry{Identity: m.Identity, Fence: m.Fence}), Phase: uint32(m.Phase),
		}}
	case *placement.StopOrder:
		w.Message = &pb.Packet_StopOrder{StopOrder: entryToWire(placement.Entry(*m))}
	default:
		return nil, fmt.Errorf("partition: no wire form for %T", p.Message)
	}
	return w, nil
}

func packetFromWire(w *pb.Packet) (*packet, error) {
	p := &packet{From: driver.MemberID(w.From)}
	switch m := w.Message.(type) {
	case *pb.Packet_Prepare:
		p.Message = &placement.Prepare{Term: m.Prepare.GetTerm(), Slots: slotsFromWire(m.Prepare.GetSlots())}
	case *pb.Packet_Promise:
		p.Message = promiseFromWire(m.Promise)
	case *pb.Packet_Spawn:
		p.Message = new(placement.Spawn(entryFromWire(m.Spawn)))
	case *pb.Packet_Spawned:
		s, err := spawnedFromWire(m.Spawned)
		if err != nil {
			return nil, err
		}
		p.Message = s
	case *pb.Packet_Deactivated:
		p.Message = &placement.Deactivated{Entries: entriesFromWire(m.Deactivated.GetEntries())}
	case *pb.Packet_DeactivatedAck:
		p.Message = &placement.DeactivatedAck{Entries: entriesFromWire(m.DeactivatedAck.GetEntries())}
	case *pb.Packet_Verify:
		p.Message = new(placement.Verify(entryFromWire(m.Verify)))
	case *pb.Packet_Verified:
		e := entryFromWire(m.Verified.GetEntry())
		if v := m.Verified.GetPhase(); v < uint32(placement.Absent) || v > uint32(placement.Stopping) {
			return nil, fmt.Errorf("%w: phase %d", errMalformed, v)
		}
		p.Message = &placement.Verified{
			Identity: e.Identity, Fence: e.Fence, Phase: placement.Phase(m.Verified.GetPhase()),
		}
	case *pb.Packet_StopOrder:
		p.Message = new(placement.StopOrder(entryFromWire(m.StopOrder)))
	default:
		return nil, fmt.Errorf("%w: a packet without a message this version knows", errMalformed)
	}
	return p, nil
}

// spawnedFromWire takes an answer to a Spawn; a refusal, and no other, has a
// reason.
func spawnedFromWire(w *pb.Spawned) (*placement.Spawned, error) {
	verdict, reason := w.GetVerdict(), w.GetReason()
	if verdict < uint32(placement.Accepted) || verdict > uint32(placement.Stale) {
		return nil, fmt.Errorf("%w: verdict %d", errMalformed, verdict)
	}
	refused := verdict == uint32(placement.Refused)
	if refused != (reason != 0) || reason > uint32(placement.LeaseEnding) {
		return nil, fmt.Errorf("%w: verdict %d with reason %d", errMalformed, verdict, reason)
	}
	e := entryFromWire(w.GetEntry())
	return &placement.Spawned{
		Identity: e.Identity, Fence: e.Fence, Verdict: placement.Verdict(verdict),
		Reason: placement.Reason(reason), Existing: fenceFromWire(w.GetExisting()),
	}, nil
}

func promiseFromWire(w *pb.Promise) *placement.Promise {
	p := &placement.Promise{Term: w.GetTerm(), Stale: slotsFromWire(w.GetStale()), Empty: slotsFromWire(w.GetEmpty())}
	for _, r := range w.GetReports() {
		if r.GetSlot() >= placement.SlotCount {
			continue
		}
		p.Reports = append(p.Reports, placement.SlotReport{
			Slot: placement.Slot(r.GetSlot()), Report: r.GetReport(),
			Part: r.GetPart(), Parts: r.GetParts(), Entries: entriesFromWire(r.GetEntries()),
		})
	}
	return p
}

func slotsToWire(slots []placement.Slot) []uint32 {
	out := make([]uint32, len(slots))
	for i, s := range slots {
		out[i] = uint32(s)
	}
	return out
}

// slotsFromWire leaves out numbers that are no slots.
func slotsFromWire(slots []uint32) []placement.Slot {
	out := make([]placement.Slot, 0, min(len(slots), placement.SlotCount))
	for _, s := range slots {
		if s < placement.SlotCount {
			out = append(out, placement.Slot(s))
		}
	}
	return out
}

func entriesToWire(entries []placement.Entry) []*pb.Entry {
	out := make([]*pb.Entry, len(entries))
	for i, e := range entries {
		out[i] = entryToWire(e)
	}
	return out
}

func entriesFromWire(entries []*pb.Entry) []placement.Entry {
	out := make([]placement.Entry, len(entries))
	for i, e := range entries {
		out[i] = entryFromWire(e)
	}
	return out
}

func entryToWire(e placement.Entry) *pb.Entry {
	return &pb.Entry{Kind: e.Identity.Kind, Name: e.Identity.Name, Fence: fenceToWire(e.Fence)}
}

func entryFromWire(e *pb.Entry) placement.Entry {
	return placement.Entry{
		Identity: driver.Identity{Kind: e.GetKind(), Name: e.GetName()}, Fence: fenceFromWire(e.GetFence()),
	}
}

func fenceToWire(f driver.Fence) *pb.Fence {
	if f.IsZero() {
		return nil
	}
	return &pb.Fence{Term: f.Term, Seq: f.Seq}
}

func fenceFromWire(f *pb.Fence) driver.Fence {
	return driver.Fence{Term: f.GetTerm(), Seq: f.GetSeq()}
}
