package partition

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// decodePromise reads a packet with a Promise. It says ok only to a packet as
// encodePromise makes them, and leaves any other, also a malformed one, to the
// generated code.
func decodePromise(data []byte) (p *packet, ok bool) {
	p = new(packet)
	for len(data) > 0 {
		f, rest := next(data)
		switch {
		case f.is(fieldPacketFrom, protowire.BytesType) && p.From == "" && utf8.Valid(f.data):
			p.From = driver.MemberID(f.data)
		case f.is(fieldPacketPromise, protowire.BytesType) && p.Message == nil:
			promise, ok := promiseOf(f.data)
			if !ok {
				return nil, false
			}
			p.Message = promise
		default:
			return nil, false
		}
		data = rest
	}
	return p, p.Message != nil
}

func promiseOf(data []byte) (*placement.Promise, bool) {
	p := &placement.Promise{Reports: make([]placement.SlotReport, 0, count(data, fieldPromiseReports))}
	for len(data) > 0 {
		f, rest := next(data)
		ok := true
		switch {
		case f.is(fieldPromiseTerm, protowire.VarintType):
			p.Term = f.number
		case f.is(fieldPromiseReports, protowire.BytesType):
			var r placement.SlotReport
			if r, ok = reportOf(string(f.data)); ok && r.Slot < placement.SlotCount {
				p.Reports = append(p.Reports, r)
			}
		case f.is(fieldPromiseStale, protowire.BytesType):
			p.Stale, ok = slotsOf(p.Stale, f.data)
		case f.is(fieldPromiseEmpty, protowire.BytesType):
			p.Empty, ok = slotsOf(p.Empty, f.data)
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
		data = rest
	}
	return p, true
}

// reportOf reads a report. The words of its entries are parts of data, which
// is kept as long as one of them is: the entries of a slot come together, and
// most of them go together.
func reportOf(data string) (r placement.SlotReport, ok bool) {
	r.Entries = make([]placement.Entry, 0, count(data, fieldReportEntries))
	for len(data) > 0 {
		f, rest := next(data)
		switch {
		case f.is(fieldReportSlot, protowire.VarintType):
			r.Slot = placement.Slot(min(uint32(f.number), placement.SlotCount))
		case f.is(fieldReportReport, protowire.VarintType):
			r.Report = f.number
		case f.is(fieldReportPart, protowire.VarintType):
			r.Part = uint32(f.number)
		case f.is(fieldReportParts, protowire.VarintType):
			r.Parts = uint32(f.number)
		case f.is(fieldReportEntries, protowire.BytesType):
			e, ok := entryOf(f.data)
			if !ok {
				return r, false
			}
			r.Entries = append(r.Entries, e)
		default:
			return r, false
		}
		data = rest
	}
	return r, true
}

func entryOf(data string) (e placement.Entry, ok bool) {
	for len(data) > 0 {
		f, rest := next(data)
		switch {
		case f.is(fieldEntryKind, protowire.BytesType):
			e.Identity.Kind, ok = f.data, utf8.ValidString(f.data)
		case f.is(fieldEntryName, protowire.BytesType):
			e.Identity.Name, ok = f.data, utf8.ValidString(f.data)
		case f.is(fieldEntryFence, protowire.BytesType) && e.Fence.IsZero():
			e.Fence, ok = fenceOf(f.data)
		default:
			ok = false
		}
		if !ok {
			return e, false
		}
		data = rest
	}
	return e, true
}

func fenceOf(data string) (f driver.Fence, ok bool) {
	for len(data) > 0 {
		field, rest := next(data)
		switch {
		case field.is(fieldFenceTerm, protowire.VarintType):
			f.Term = field.number
		case field.is(fieldFenceSeq, protowire.VarintType):
			f.Seq = field.number
		default:
			return f, false
		}
		data = rest
	}
	return f, true
}

// slotsOf reads packed slots, and leaves out numbers that are none.
func slotsOf(slots []placement.Slot, data []byte) ([]placement.Slot, bool) {
	if slots == nil {
		slots = make([]placement.Slot, 0, min(len(data), placement.SlotCount))
	}
	for len(data) > 0 {
		s, n := varint(data)
		if n == 0 {
			return nil, false
		}
		if s := uint32(s); s < placement.SlotCount {
			slots = append(slots, placement.Slot(s))
		}
		data = data[n:]
	}
	return slots, true
}

// part is one field of a serialised message: number or data, as kind says. Its
// zero value is what cannot be read.
type part[B []byte | string] struct {
	field  uint64
	kind   protowire.Type
	number uint64
	data   B
}

func (p part[B]) is(field uint64, kind protowire.Type) bool {
	return p.field == field && p.kind == kind
}

// next reads the first field of a message that has one, and gives the rest.
func next[B []byte | string](data B) (p part[B], rest B) {
	tag, n := varint(data)
	if n == 0 {
		return p, rest
	}
	value, m := varint(data[n:])
	if m == 0 {
		return p, rest
	}
	data = data[n+m:]
	switch kind := protowire.Type(tag & 7); kind {
	case protowire.VarintType:
		return part[B]{field: tag >> 3, kind: kind, number: value}, data
	case protowire.BytesType:
		if value <= uint64(len(data)) {
			return part[B]{field: tag >> 3, kind: kind, data: data[:value]}, data[value:]
		}
	}
	return p, rest
}

// count tells how often a field comes, up to what cannot be read.
func count[B []byte | string](data B, field uint64) (n int) {
	for len(data) > 0 {
		var p part[B]
		if p, data = next(data); p.field == field {
			n++
		}
	}
	return n
}

// varint reads a number; n is its length, 0 if there is none.
func varint[B []byte | string](data B) (v uint64, n int) {
	for shift := 0; n < len(data) && shift < 64; shift += 7 {
		c := data[n]
		n++
		if shift == 63 && c > 1 {
			return 0, 0
		}
		if v |= uint64(c&0x7f) << shift; c < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
