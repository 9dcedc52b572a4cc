package remote

import (
	"errors"
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// errMalformed says that what a peer sent as a batch is none. It ends the
// connection: what the batch held is not known, so the peer must not think that
// it was delivered.
var errMalformed = errors.New("the peer sent a malformed batch")

var errTooMany = fmt.Errorf("%w: more than %d messages or entries of a table", errMalformed, maxBatchMessages)

// batch is a remotepb.Batch as received. Its tables are read; its envelopes are
// read one by one, so that what is wrong with one costs only that one. It is used
// for one batch of a peer after the other.
type batch struct {
	known typeTable // what earlier batches have named
	peer  string    // the peer's address, which most senders have

	targets []string
	senders []pidKey
	types   []*inboundType
	count   int
	data    []byte

	acknowledged uint64
}

// inboundType says how messages of a type are read.
type inboundType struct {
	wireType
	message protoreflect.MessageType // nil if it is not protobuf's form, or not known here
}

// maxKnownTypes bounds typeTable, and maxKnownType the bytes of each entry.
const (
	maxKnownTypes = 1 << 10
	maxKnownType  = 1 << 9
)

// typeTable keeps, by their serialised form, the types that a peer's batches have
// named: it names the same ones in each.
type typeTable map[string]*inboundType

func (t typeTable) entry(data []byte) (*inboundType, error) {
	if known, ok := t[string(data)]; ok {
		return known, nil
	}
	name, serializer, err := parsePair(data, "")
	if err != nil {
		return nil, err
	}
	known := &inboundType{wireType: wireType{name, serializer}}
	if serializer == "" {
		known.message, _ = protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	}
	if len(data) > maxKnownType || serializer == "" && known.message == nil { // which may be registered later
		return known, nil
	}
	if len(t) >= maxKnownTypes {
		clear(t)
	}
	t[string(data)] = known
	return known, nil
}

// read reads the tables of a batch and checks its outline. b refers to data from then
// on.
func (b *batch) read(data []byte) error {
	clear(b.targets)
	clear(b.senders)
	b.targets, b.senders, b.types = b.targets[:0], b.senders[:0], b.types[:0]
	b.count, b.data, b.acknowledged = 0, data, 0
	for field, value := range fields(data) {
		if value.err != nil {
			return fmt.Errorf("%w: %w", errMalformed, value.err)
		}
		if field == fieldAcknowledged && value.kind == protowire.VarintType {
			b.acknowledged = value.number
		}
		if value.kind != protowire.BytesType {
			continue
		}
		if err := b.entry(field, value.bytes); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) entry(field protowire.Number, value []byte) error {
	n := 0
	switch field {
	case fieldTargets:
		b.targets = append(b.targets, string(value))
		n = len(b.targets)
	case fieldSenders:
		address, id, err := parsePair(value, b.peer)
		if err != nil {
			return err
		}
		b.senders = append(b.senders, pidKey{address, id})
		n = len(b.senders)
	case fieldTypes:
		known, err := b.known.entry(value)
		if err != nil {
			return err
		}
		b.types = append(b.types, known)
		n = len(b.types)
	case fieldEnvelopes:
		b.count++
		n = b.count
	}
	if n > maxBatchMessages {
		return errTooMany
	}
	return nil
}

// parsePair reads a message of two strings. The first one often is usual, which then
// costs nothing.
func parsePair(data []byte, usual string) (first, second string, err error) {
	for field, value := range fields(data) {
		switch {
		case value.err != nil:
			return "", "", fmt.Errorf("%w: %w", errMalformed, value.err)
		case value.kind != protowire.BytesType:
		case field == fieldFirst && string(value.bytes) == usual:
			first = usual
		case field == fieldFirst:
			first = string(value.bytes)
		case field == fieldSecond:
			second = string(value.bytes)
		}
	}
	return first, second, nil
}

// envelopes ranges over the envelopes of the batch, serialised.
func (b *batch) envelopes() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for field, value := range fields(b.data) {
			if field == fieldEnvelopes && value.kind == protowire.BytesType && !yield(value.bytes) {
				return
			}
		}
	}
}

// envelope is a remotepb.Envelope as received; data and control refer to the
// batch's bytes.
type envelope struct {
	target, sender, typ uint64
	data                []byte
	control             []byte // nil if it is none
	header              map[string]string
}

// parse reads an envelope. Whatever the error, sender is what was read of it.
func (e *envelope) parse(data []byte) error {
	*e = envelope{}
	for field, value := range fields(data) {
		if value.err != nil {
			return fmt.Errorf("a malformed envelope: %w", value.err)
		}
		switch {
		case field == fieldTarget && value.kind == protowire.VarintType:
			e.target = value.number
		case field == fieldSender && value.kind == protowire.VarintType:
			e.sender = value.number
		case field == fieldType && value.kind == protowire.VarintType:
			e.typ = value.number
		case value.kind != protowire.BytesType:
		case field == fieldData:
			e.data = value.bytes
		case field == fieldControl:
			e.control = value.bytes
		case field == fieldHeader:
			k, v, err := parsePair(value.bytes, "")
			if err != nil {
				return fmt.Errorf("a malformed header: %w", err)
			}
			if e.header == nil {
				e.header = make(map[string]string)
			}
			e.header[k] = v
		}
	}
	return nil
}

// fieldValue is the value of one field of a serialised message: number or bytes,
// as kind says. Values of other kinds are passed over.
type fieldValue struct {
	kind   protowire.Type
	number uint64
	bytes  []byte // not nil if kind is BytesType
	err    error  // data is malformed from here on
}

// fields ranges over the fields of a serialised message, up to the first error.
func fields(data []byte) iter.Seq2[protowire.Number, fieldValue] {
	return func(yield func(protowire.Number, fieldValue) bool) {
		for len(data) > 0 {
			field, value, n := consumeField(data)
			if n < 0 {
				yield(0, fieldValue{kind: -1, err: protowire.ParseError(n)})
				return
			}
			if !yield(field, value) {
				return
			}
			data = data[n:]
		}
	}
}

// consumeField reads the first field of data; n is its length, or an error code
// of protowire.
func consumeField(data []byte) (field protowire.Number, value fieldValue, n int) {
	field, kind, tag := protowire.ConsumeTag(data)
	if tag < 0 {
		return 0, fieldValue{}, tag
	}
	value.kind = kind
	switch kind {
	case protowire.VarintType:
		value.number, n = protowire.ConsumeVarint(data[tag:])
	case protowire.BytesType:
		value.bytes, n = protowire.ConsumeBytes(data[tag:])
	default:
		n = protowire.ConsumeFieldValue(field, kind, data[tag:])
	}
	if n < 0 {
		return 0, fieldValue{}, n
	}
	return field, value, tag + n
}
