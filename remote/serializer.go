package remote

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// namedCodec is a codec with its name on the wire.
type namedCodec struct {
	name  string
	codec Codec
}

// maxSerializerName bounds the names of serializers, in bytes.
const maxSerializerName = 64

// WithSerializer lets messages travel in another form than protobuf's: those that
// codec takes when it is asked to encode them, protobuf messages or any other Go
// values. It is asked for every message, before protobuf, and after the serializers
// that were given before it. name tells the receiver which one a message came by: a
// process that does not have it answers requests with an error. It is not "codec",
// has 1 to 64 bytes, and no two serializers have the same. [JSON] is one.
func WithSerializer(name string, codec Codec) ConfigOption {
	return func(c *Config) { c.serializers = append(slices.Clip(c.serializers), namedCodec{name, codec}) }
}

func (c *Config) checkSerializers() error {
	for i, s := range c.serializers {
		switch {
		case s.codec == nil:
			return errors.New("WithSerializer: the codec is nil")
		case s.name == "" || s.name == serializerCodec || len(s.name) > maxSerializerName:
			return fmt.Errorf("WithSerializer: %.100q is no name for one: it has 1 to %d bytes and is not %q", s.name, maxSerializerName, serializerCodec)
		case slices.ContainsFunc(c.serializers[:i], func(other namedCodec) bool { return other.name == s.name }):
			return fmt.Errorf("WithSerializer: there are two of the name %q", s.name)
		}
	}
	return nil
}

// JSON is a serializer ([WithSerializer]) that writes protobuf messages as the JSON
// of their specification: those of the types given, or all if none is given. It costs
// several times as much as protobuf's own form, and can be read on the way.
func JSON(messages ...proto.Message) Codec {
	c := jsonCodec{}
	for _, m := range messages {
		if m != nil {
			c.types = append(c.types, m.ProtoReflect().Descriptor().FullName())
		}
	}
	return c
}

type jsonCodec struct {
	types []protoreflect.FullName // none: all
}

// Encode implements Codec.
func (c jsonCodec) Encode(message any) (typeName string, data []byte, ok bool, err error) {
	m, is := message.(proto.Message)
	if !is {
		return "", nil, false, nil
	}
	name := m.ProtoReflect().Descriptor().FullName()
	if len(c.types) > 0 && !slices.Contains(c.types, name) {
		return "", nil, false, nil
	}
	data, err = protojson.Marshal(m)
	return string(name), data, true, err
}

// Decode implements Codec. It reads any type: the sender has chosen.
func (c jsonCodec) Decode(typeName string, data []byte) (message any, ok bool, err error) {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(typeName))
	if err != nil {
		return nil, false, nil //nolint:nilerr // it is not known here
	}
	m := mt.New().Interface()
	if err := protojson.Unmarshal(data, m); err != nil {
		return nil, false, err
	}
	return m, true, nil
}
