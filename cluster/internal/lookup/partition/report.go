package partition

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/placement"
)

// A change of view makes every host report all it has in the slots that have
// moved: hundreds of thousands of entries at once, on which the callers of
// those slots wait. So a Promise is coded here by hand. Generated code makes
// five objects of every entry. The tests compare this coding with it.

// The fields of placementpb that a packet with a Promise has.
const (
	fieldPacketFrom    = 1
	fieldPacketPromise = 3

	fieldPromiseTerm    = 1
	fieldPromiseReports = 2
	fieldPromiseStale   = 3
	fieldPromiseEmpty   = 4

	fieldReportSlot    = 1
	fieldReportReport  = 2
	fieldReportPart    = 3
	fieldReportParts   = 4
	fieldReportEntries = 5

	fieldEntryKind  = 1
	fieldEntryName  = 2
	fieldEntryFence = 3

	fieldFenceTerm = 1
	fieldFenceSeq  = 2
)

var errNotUTF8 = errors.New("partition: kinds and identities that cross processes are valid UTF-8")

// encodePromise gives the bytes of a packet with a Promise.
func encodePromise(from driver.MemberID, p *placement.Promise) ([]byte, error) {
	for _, r := range p.Reports {
		for _, e := range r.Entries {
			if !utf8.ValidString(e.Identity.Kind) || !utf8.ValidString(e.Identity.Name) {
				return nil, fmt.Errorf("%w: %q is not", errNotUTF8, e.Identity)
			}
		}
	}
	size := sizePromise(p)
	b := make([]byte, 0, sizeBytes(len(from))+sizeBytes(size))
	b = appendString(b, fieldPacketFrom, string(from))
	b = appendLength(b, fieldPacketPromise, size)
	b = appendNumber(b, fieldPromiseTerm, p.Term)
	for i := range p.Reports {
		b = appendReport(b, &p.Reports[i])
	}
	b = appendSlots(b, fieldPromiseStale, p.Stale)
	return appendSlots(b, fieldPromiseEmpty, p.Empty), nil
}

func sizePromise(p *placement.Promise) int {
	n := sizeNumber(p.Term) + sizeBytes(sizeSlots(p.Stale)) + sizeBytes(sizeSlots(p.Empty))
	for i := range p.Reports {
		n += 1 + protowire.SizeBytes(sizeReport(&p.Reports[i]))
	}
	return n
}

func appendReport(b []byte, r *placement.SlotReport) []byte {
	b = appendLength(b, fieldPromiseReports, sizeReport(r))
	b = appendNumber(b, fieldReportSlot, uint64(r.Slot))
	b = appendNumber(b, fieldReportReport, r.Report)
	b = appendNumber(b, fieldReportPart, uint64(r.Part))
	b = appendNumber(b, fieldReportParts, uint64(r.Parts))
	for i := range r.Entries {
		e := &r.Entries[i]
		b = appendLength(b, fieldReportEntries, sizeEntry(e))
		b = appendString(b, fieldEntryKind, e.Identity.Kind)
		b = appendString(b, fieldEntryName, e.Identity.Name)
		if !e.Fence.IsZero() {
			b = appendLength(b, fieldEntryFence, sizeFence(e.Fence))
			b = appendNumber(b, fieldFenceTerm, e.Fence.Term)
			b = appendNumber(b, fieldFenceSeq, e.Fence.Seq)
		}
	}
	return b
}

func sizeReport(r *placement.SlotReport) int {
	n := sizeNumber(uint64(r.Slot)) + sizeNumber(r.Report) + sizeNumber(uint64(r.Part)) + sizeNumber(uint64(r.Parts))
	for i := range r.Entries {
		n += 1 + protowire.SizeBytes(sizeEntry(&r.Entries[i]))
	}
	return n
}

func sizeEntry(e *placement.Entry) int {
	return sizeBytes(len(e.Identity.Kind)) + sizeBytes(len(e.Identity.Name)) + sizeBytes(sizeFence(e.Fence))
}

func sizeFence(f driver.Fence) int { return sizeNumber(f.Term) + sizeNumber(f.Seq) }

// Tags have one byte: no field has a number above 15.

// sizeNumber is the size of a number's field. One that is zero is left out.
func sizeNumber(n uint64) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(n)
}

// sizeBytes is the size of a field of n bytes. One that is empty is left out.
func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

func sizeSlots(slots []placement.Slot) (n int) {
	for _, s := range slots {
		n += protowire.SizeVarint(uint64(s))
	}
	return n
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

// appendLength begins a field of n bytes.
func appendLength(b []byte, field protowire.Number, n int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.BytesType), uint64(n))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return append(appendLength(b, field, len(s)), s...)
}

func appendSlots(b []byte, field protowire.Number, slots []placement.Slot) []byte {
	if len(slots) == 0 {
		return b
	}
	b = appendLength(b, field, sizeSlots(slots))
	for _, s := range slots {
		b = protowire.AppendVarint(b, uint64(s))
	}
	return b
}
