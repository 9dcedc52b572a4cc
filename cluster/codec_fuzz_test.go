package cluster

import (
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

// FuzzMessage has a peer send any bytes as a message between grains. What decodes encodes.
func FuzzMessage(f *testing.F) {
	c := codec{}
	payload := wrapperspb.String("x")
	for _, m := range []any{
		&GrainRequest{Method: "Say", Message: payload, id: "call"}, &GrainResponse{Message: payload},
		&GrainError{Code: CodePanic, Message: "x"}, &grainCancel{activation: "K/x@m:1.2"},
	} {
		name, data, _, err := c.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		m, ok, err := c.Decode(name, data)
		if !ok || err != nil {
			return
		}
		if _, _, ok, err := c.Encode(m); !ok || err != nil {
			t.Errorf("%#v decodes and does not encode: %v", m, err)
		}
		if r, is := m.(*GrainRequest); is && (len(r.id) > MaxCallIDLength || r.chain != nil && r.chain.depth > MaxCallDepth) {
			t.Errorf("taken: %#v", r)
		}
	})
}
