package remote

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of remotepb.Batch, Envelope, PID, Type and of an entry of
// Envelope.header. The tests compare this coding with the generated one.
const (
	fieldTargets      = 1
	fieldSenders      = 2
	fieldTypes        = 3
	fieldEnvelopes    = 4
	fieldAcknowledged = 5

	fieldTarget  = 1
	fieldSender  = 2
	fieldType    = 3
	fieldData    = 4
	fieldHeader  = 5
	fieldControl = 6

	fieldFirst  = 1 // PID.address, Type.name, header key
	fieldSecond = 2 // PID.id, Type.serializer, header value
)

const (
	// batchBytes is the size at which a batch is sent although more waits.
	batchBytes = 256 << 10
	// batchMessages is the number of messages at which it is sent.
	batchMessages = 8 << 10
	// maxBatchMessages is the most messages, and entries of each table, that
	// the receiver of a batch takes.
	maxBatchMessages = 1 << 16
	// batchOverhead is the most that coding adds to the size of one message
	// that is alone in its batch, without its headers.
	batchOverhead = 128
	// headerOverhead is the most that coding adds to each entry of a header.
	headerOverhead = 16

	maxMaxMessageSize = 1 << 30
)

type pidKey struct{ address, id string }

// batchEncoder builds one remotepb.Batch after the other, each in a buffer of its own.
type batchEncoder struct {
	serial *serial

	buf   []byte
	count int
	last  int // the size of the batch before, which the next one is often like

	targets map[string]uint64
	senders map[pidKey]uint64
	types   map[wireType]uint64

	// The entries of the message before, which the next one often shares.
	lastTarget, lastSender, lastType uint64
	lastTargetID                     string
	lastSenderKey                    pidKey
	lastWireType                     wireType
}

func newBatchEncoder(s *serial) *batchEncoder {
	e := &batchEncoder{serial: s,
		targets: make(map[string]uint64), senders: make(map[pidKey]uint64), types: make(map[wireType]uint64)}
	e.reset()
	return e
}

// reset begins a new batch. What bytes returned before is overwritten.
func (e *batchEncoder) reset() {
	e.buf, e.count = e.buf[:0], 0
	clear(e.targets)
	clear(e.senders)
	clear(e.types)
}

// full reports whether the batch is to be sent before a message of the given
// size joins it.
func (e *batchEncoder) full(size int) bool {
	return e.count > 0 && (e.count >= batchMessages || len(e.buf)+size > batchBytes)
}

// bytes returns the batch; it is valid until the next reset.
func (e *batchEncoder) bytes() []byte { return e.buf }

// detach returns the batch, which is the caller's from then on, and begins a new one.
func (e *batchEncoder) detach() []byte {
	batch := e.buf
	e.last = len(batch)
	e.reset()
	e.buf = nil
	return batch
}

// begin takes a buffer for a batch. Large ones come from the pool: gRPC gives them back
// when they are written.
func (e *batchEncoder) begin() {
	if n := min(e.last+e.last/4+batchOverhead, bufferSizes[len(bufferSizes)-1]); mem.IsBelowBufferPoolingThreshold(n) {
		e.buf = make([]byte, 0, n)
	} else {
		e.buf = (*buffers.Get(n))[:0]
	}
}

// add puts a message at the end of the batch. An entry of a table is written
// right before the first envelope that needs it: the fields of a protobuf
// message may come in any order.
func (e *batchEncoder) add(o *outbound) {
	if e.buf == nil {
		e.begin()
	}
	target, sender := e.target(o.target.Id), e.sender(o)
	var typ uint64
	if !o.control {
		typ = e.typ(o.typ)
	}
	size := sizeVarintField(fieldTarget, target) + sizeVarintField(fieldSender, sender) + sizeVarintField(fieldType, typ)
	dataField := protowire.Number(fieldData)
	if o.control {
		dataField = fieldControl
	}
	withData := o.control || len(o.data) > 0
	if withData {
		size += sizeBytesField(dataField, len(o.data))
	}
	for k, v := range o.env.Header {
		size += sizeBytesField(fieldHeader, sizePair(k, v))
	}

	b := protowire.AppendTag(e.buf, fieldEnvelopes, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendVarintField(b, fieldTarget, target)
	b = appendVarintField(b, fieldSender, sender)
	b = appendVarintField(b, fieldType, typ)
	if withData {
		b = protowire.AppendTag(b, dataField, protowire.BytesType)
		b = protowire.AppendBytes(b, o.data)
	}
	for k, v := range o.env.Header {
		b = appendPair(b, fieldHeader, k, v)
	}
	e.buf = b
	e.count++
}

// acknowledge adds to the batch how far the peer's messages came; 0 says nothing.
func (e *batchEncoder) acknowledge(messages uint64) {
	e.buf = appendVarintField(e.buf, fieldAcknowledged, messages)
}

func (e *batchEncoder) target(id string) uint64 {
	if len(e.targets) > 0 && id == e.lastTargetID {
		return e.lastTarget
	}
	i, known := e.targets[id]
	if !known {
		i = uint64(len(e.targets))
		e.targets[id] = i
		e.buf = protowire.AppendTag(e.buf, fieldTargets, protowire.BytesType)
		e.buf = protowire.AppendString(e.buf, id)
	}
	e.lastTarget, e.lastTargetID = i, id
	return i
}

// sender returns the index plus one of the message's sender, 0 if it has none.
func (e *batchEncoder) sender(o *outbound) uint64 {
	if o.env.Sender == nil {
		return 0
	}
	key := pidKey{e.serial.addressOf(o.env.Sender), o.env.Sender.Id}
	if len(e.senders) > 0 && key == e.lastSenderKey {
		return e.lastSender
	}
	i, known := e.senders[key]
	if !known {
		i = uint64(len(e.senders)) + 1
		e.senders[key] = i
		e.buf = appendPair(e.buf, fieldSenders, key.address, key.id)
	}
	e.lastSender, e.lastSenderKey = i, key
	return i
}

func (e *batchEncoder) typ(t wireType) uint64 {
	if len(e.types) > 0 && t == e.lastWireType {
		return e.lastType
	}
	i, known := e.types[t]
	if !known {
		i = uint64(len(e.types))
		e.types[t] = i
		e.buf = appendPair(e.buf, fieldTypes, t.name, t.serializer)
	}
	e.lastType, e.lastWireType = i, t
	return i
}

// appendPair appends a message field that holds two strings.
func appendPair(b []byte, field protowire.Number, first, second string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizePair(first, second)))
	b = appendStringField(b, fieldFirst, first)
	return appendStringField(b, fieldSecond, second)
}

func sizePair(first, second string) int {
	return sizeStringField(fieldFirst, first) + sizeStringField(fieldSecond, second)
}

// Fields with a zero value are left out, as in every proto3 message.

func appendStringField(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func sizeStringField(field protowire.Number, s string) int {
	if s == "" {
		return 0
	}
	return sizeBytesField(field, len(s))
}

func sizeBytesField(field protowire.Number, n int) int {
	return protowire.SizeTag(field) + protowire.SizeBytes(n)
}

func appendVarintField(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func sizeVarintField(field protowire.Number, v uint64) int {
	if v == 0 {
		return 0
	}
	return protowire.SizeTag(field) + protowire.SizeVarint(v)
}
