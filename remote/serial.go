package remote

import (
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/remote/internal/remotepb"
)

// serializerCodec names the [Codec] on the wire; protobuf's own form has no name.
const serializerCodec = "codec"

// wireType says how the data of a message is to be read.
type wireType struct {
	name       string
	serializer string
}

// outbound is a message on its way to a peer, already serialised.
type outbound struct {
	target *actor.PID
	env    actor.MessageEnvelope
	system bool // came through SendSystemMessage

	control bool // data is a remotepb.Control, and typ has no meaning
	typ     wireType
	data    []byte
	size    int // what it counts for in queues and limits, in bytes
}

// replyTo is where the answer to the message goes; nil if it has none.
func (o *outbound) replyTo() *actor.PID {
	if m, ok := o.env.Message.(*actor.Watch); ok && o.system {
		return m.Watcher
	}
	return o.env.Sender
}

// serial turns messages into bytes and back. Both directions may be used by many
// goroutines at once; they panic for nobody's message.
type serial struct {
	codecs []namedCodec // in the order in which they are asked
	self   string       // this process's address
}

var (
	errNilMessage = errors.New(actor.DeadLetterNilMessage)
	errNilPointer = errors.New("the message is a nil pointer")
	errNotUTF8    = errors.New("ids and headers that cross processes are valid UTF-8")
)

// encode fills in how the message of o travels.
func (s *serial) encode(o *outbound) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("serialising %T panicked: %v", o.env.Message, p)
		}
	}()
	if err := s.encodeMessage(o); err != nil {
		return err
	}
	return s.measure(o)
}

func (s *serial) encodeMessage(o *outbound) (err error) {
	switch m := o.env.Message.(type) {
	case nil:
		return errNilMessage
	case proto.Message:
		r := m.ProtoReflect()
		if !r.IsValid() {
			return errNilPointer
		}
		if taken, err := s.encodeOwn(o, false); taken || err != nil {
			return err
		}
		o.typ.name = string(r.Descriptor().FullName())
		if o.data, err = marshal(m); err != nil {
			return fmt.Errorf("serialising %s: %w", o.typ.name, err)
		}
		return nil
	default:
		control, err := s.controlOf(m)
		if err != nil {
			return err
		}
		if control == nil {
			return s.encodeOther(o)
		}
		return o.encodeControl(control)
	}
}

func (o *outbound) encodeControl(control *remotepb.Control) (err error) {
	o.control = true
	if o.data, err = proto.Marshal(control); err != nil {
		return fmt.Errorf("serialising %T: %w", o.env.Message, err)
	}
	return nil
}

func (s *serial) encodeOther(o *outbound) error {
	if taken, err := s.encodeOwn(o, true); taken || err != nil {
		return err
	}
	return fmt.Errorf("%T is no protobuf message and cannot be sent to another process", o.env.Message)
}

// encodeOwn asks the serializers, and also the [Codec] for what is no protobuf message.
func (s *serial) encodeOwn(o *outbound, codec bool) (taken bool, err error) {
	for _, c := range s.codecs {
		if c.name == serializerCodec && !codec {
			continue
		}
		name, data, ok, err := c.codec.Encode(o.env.Message)
		if err != nil {
			return false, fmt.Errorf("serialising %T: %w", o.env.Message, err)
		}
		if ok {
			o.typ, o.data = wireType{name: name, serializer: c.name}, data
			return true, nil
		}
	}
	return false, nil
}

// measure sets the size of o and checks what is written beside its data.
func (s *serial) measure(o *outbound) error {
	o.size = len(o.data) + len(o.target.Id) + len(o.typ.name)
	valid := utf8.ValidString(o.target.Id) && utf8.ValidString(o.typ.name)
	if sender := o.env.Sender; sender != nil {
		address := s.addressOf(sender)
		if err := checkSender(address, s.self); err != nil {
			return err
		}
		o.size += len(address) + len(sender.Id)
		valid = valid && utf8.ValidString(sender.Id)
	}
	for k, v := range o.env.Header {
		o.size += len(k) + len(v) + headerOverhead
		valid = valid && utf8.ValidString(k) && utf8.ValidString(v)
	}
	if !valid {
		return errNotUTF8
	}
	return nil
}

// checkSender says what is wrong with the address of a sender. known is one that
// was checked before, and most senders'.
func checkSender(address, known string) error {
	if address == known {
		return nil
	}
	if err := checkAddress(address); err != nil {
		return fmt.Errorf("the sender's address: %w", err)
	}
	return nil
}

// decode makes the message that data is the serialised form of.
func (s *serial) decode(t *inboundType, data []byte) (message any, err error) {
	defer func() {
		if p := recover(); p != nil {
			message, err = nil, fmt.Errorf("reading a %q panicked: %v", t.name, p)
		}
	}()
	if t.serializer == "" {
		return decodeProto(t, data)
	}
	for _, c := range s.codecs {
		if c.name == t.serializer {
			return c.decode(t.name, data)
		}
	}
	if t.serializer == serializerCodec {
		return nil, fmt.Errorf("no codec for %q here", t.name)
	}
	return nil, fmt.Errorf("no serializer %.100q here (WithSerializer)", t.serializer)
}

func decodeProto(t *inboundType, data []byte) (any, error) {
	if t.message == nil {
		return nil, fmt.Errorf("no protobuf message %q here", t.name)
	}
	m := t.message.New().Interface()
	if err := unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("reading a %s: %w", t.name, err)
	}
	return m, nil
}

func (c namedCodec) decode(name string, data []byte) (any, error) {
	m, ok, err := c.codec.Decode(name, data)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading a %q: %w", name, err)
	case !ok || m == nil:
		return nil, fmt.Errorf("the codec does not know %q", name)
	default:
		return m, nil
	}
}

// Messages whose code is generated by protoc-gen-go-vtproto have a faster way to and
// from the same bytes.
type (
	vtMarshaler   interface{ MarshalVT() ([]byte, error) }
	vtUnmarshaler interface{ UnmarshalVT(data []byte) error }
)

func marshal(m proto.Message) ([]byte, error) {
	if vt, ok := m.(vtMarshaler); ok {
		return vt.MarshalVT()
	}
	return proto.Marshal(m)
}

// unmarshal reads what somebody else has sent. UnmarshalVT has no limit for how deep
// messages are nested, and a stack that overflows ends the process: messages that
// can hold themselves are read by protobuf's own.
func unmarshal(data []byte, m proto.Message) error {
	if vt, ok := m.(vtUnmarshaler); ok && isFlat(m.ProtoReflect().Descriptor()) {
		return vt.UnmarshalVT(data)
	}
	return proto.Unmarshal(data, m)
}

var flat sync.Map // protoreflect.FullName → bool

// isFlat reports whether no message can be within another of its type.
func isFlat(md protoreflect.MessageDescriptor) bool {
	if known, ok := flat.Load(md.FullName()); ok {
		return known == true
	}
	is := !recurs(md, map[protoreflect.FullName]bool{})
	flat.Store(md.FullName(), is)
	return is
}

// recurs looks for a message type below md that is on the way to it.
func recurs(md protoreflect.MessageDescriptor, way map[protoreflect.FullName]bool) bool {
	if way[md.FullName()] {
		return true
	}
	way[md.FullName()] = true
	defer delete(way, md.FullName())
	for i := range md.Fields().Len() {
		if field := md.Fields().Get(i).Message(); field != nil && recurs(field, way) {
			return true
		}
	}
	return false
}
