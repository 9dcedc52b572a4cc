package remote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/actor"
)

// spied is a codec that tells what it has encoded.
type spied struct {
	Codec
	seen *[]string
}

func (s spied) Encode(message any) (string, []byte, bool, error) {
	name, data, ok, err := s.Codec.Encode(message)
	if ok {
		*s.seen = append(*s.seen, string(data))
	}
	return name, data, ok, err
}

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		var seen []string
		all := WithSerializer("json", spied{JSON(), &seen})
		a, b := startProcess(t, n.on("a", 1, all)), startProcess(t, n.on("b", 1, WithSerializer("json", JSON())))
		a.mustAsk(b.echo("echo"), "there")
		if len(seen) != 1 || seen[0] != `"there"` {
			t.Errorf("encoded %q", seen)
		}
	})
}

func TestJSONForSomeTypes(t *testing.T) {
	codec := JSON(&durationpb.Duration{}, nil)
	for _, tt := range []struct {
		message any
		ok      bool
	}{
		{&durationpb.Duration{Seconds: 3}, true}, {wrapperspb.String("x"), false}, {"no protobuf", false}, {nil, false},
	} {
		name, data, ok, err := codec.Encode(tt.message)
		if ok != tt.ok || err != nil {
			t.Errorf("%v: %v, %v", tt.message, ok, err)
		}
		if !ok {
			continue
		}
		got, ok, err := codec.Decode(name, data)
		if m, is := got.(proto.Message); !is || !ok || err != nil || !proto.Equal(m, tt.message.(proto.Message)) {
			t.Errorf("%s: %v, %v, %v", data, got, ok, err)
		}
	}
	if _, ok, err := codec.Decode("no.such.Type", []byte("{}")); ok || err != nil {
		t.Error("an unknown type:", ok, err)
	}
	if _, _, err := codec.Decode("google.protobuf.Duration", []byte("{")); err == nil {
		t.Error("half a message was read")
	}
}

// plain is a codec for Go values.
type plain struct{}

type plainMessage struct {
	Text string `json:"text"`
}

func (plain) Encode(message any) (string, []byte, bool, error) {
	m, ok := message.(*plainMessage)
	if !ok {
		return "", nil, false, nil
	}
	if m.Text == "fails" {
		return "", nil, false, errors.New("no way")
	}
	data, err := json.Marshal(m)
	return "plain", data, true, err
}

func (plain) Decode(typeName string, data []byte) (any, bool, error) {
	if typeName != "plain" {
		return nil, false, nil
	}
	m := &plainMessage{}
	err := json.Unmarshal(data, m)
	return m, true, err
}

func TestSerializerOfGoValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		both := []ConfigOption{WithSerializer("plain", plain{}), WithSerializer("json", JSON(&durationpb.Duration{}))}
		a, b := startProcess(t, n.on("a", 1, both...)), startProcess(t, n.on("b", 1, both...))
		pid := b.spawn("back", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *plainMessage, *durationpb.Duration:
				ctx.Respond(m)
			}
		})
		if got, err := a.request(pid, &plainMessage{"x"}); err != nil || got.(*plainMessage).Text != "x" {
			t.Error(got, err)
		}
		if got, err := a.request(pid, &durationpb.Duration{Seconds: 7}); err != nil || got.(*durationpb.Duration).Seconds != 7 {
			t.Error(got, err)
		}
		a.mustAsk(b.echo("echo"), "by protobuf")
		a.wantDeadLetter(pid, &plainMessage{"fails"}, "no way")
		a.wantDeadLetter(pid, struct{}{}, "no protobuf message")
		// Who does not have the serializer says so, and goes on.
		c := startProcess(t, n.on("c", 1))
		a.wantDeadLetter(c.echo("echo"), &plainMessage{"x"}, `no serializer "plain"`)
		a.mustAsk(c.at("echo"), "in good health")
	})
}

func TestSerializersThatCannotBe(t *testing.T) {
	for want, opts := range map[string][]ConfigOption{
		"is nil":          {WithSerializer("x", nil)},
		"is no name":      {WithSerializer("", JSON())},
		`"codec"`:         {WithSerializer("codec", JSON())},
		"1 to 64 bytes":   {WithSerializer(strings.Repeat("x", 65), JSON())},
		"two of the name": {WithSerializer("x", JSON()), WithSerializer("x", plain{})},
	} {
		err := newProcess(t, Configure("127.0.0.1", 0, opts...)).remote.Start()
		if !errors.Is(err, ErrBadConfig) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// fast is a message with generated code for its own way to the same bytes.
type fast struct {
	*wrapperspb.StringValue
	marshalled, unmarshalled *int
}

func (f fast) MarshalVT() ([]byte, error) {
	*f.marshalled++
	return proto.Marshal(f.StringValue)
}

func (f fast) UnmarshalVT(data []byte) error {
	*f.unmarshalled++
	return proto.Unmarshal(data, f.StringValue)
}

func TestFastPaths(t *testing.T) {
	m := fast{wrapperspb.String("x"), new(int), new(int)}
	data, err := marshal(m)
	if err != nil || *m.marshalled != 1 {
		t.Error(err, *m.marshalled)
	}
	got := fast{&wrapperspb.StringValue{}, new(int), new(int)}
	if err := unmarshal(data, got); err != nil || *got.unmarshalled != 1 || got.Value != "x" {
		t.Error(err, *got.unmarshalled, got.StringValue)
	}
}

// Messages that can hold themselves are read by protobuf's own, which has a limit for
// how deep.
func TestFlatMessages(t *testing.T) {
	for _, tt := range []struct {
		message proto.Message
		flat    bool
	}{{wrapperspb.String(""), true}, {&durationpb.Duration{}, true}, {&structpb.Struct{}, false}, {&structpb.ListValue{}, false}} {
		for range 2 { // the second time it is known
			if got := isFlat(tt.message.ProtoReflect().Descriptor()); got != tt.flat {
				t.Errorf("%T: %v", tt.message, got)
			}
		}
	}
}
