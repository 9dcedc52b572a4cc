package remote

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// FuzzFrame compares the codec that does not copy batches with protobuf's own.
func FuzzFrame(f *testing.F) {
	for _, frame := range []*remotepb.Frame{
		{}, {Kind: &remotepb.Frame_Batch{Batch: []byte("batch")}}, {Kind: &remotepb.Frame_Hello{Hello: goodHello("b:1")}}, {Kind: &remotepb.Frame_Goodbye{}},
	} {
		data, err := proto.Marshal(frame)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, data...))
	}
	own := encoding.GetCodecV2(frameCodecName)
	plain := encoding.GetCodecV2(grpcproto.Name)
	f.Fuzz(func(t *testing.T, data []byte) {
		var in inFrame
		in.reset()
		want := &remotepb.Frame{}
		err := own.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, &in)
		plainErr := plain.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, want)
		defer in.release()
		if (err == nil) != (plainErr == nil) {
			t.Fatalf("%v; protobuf's codec: %v", err, plainErr)
		}
		if err != nil {
			return
		}
		if in.batch != nil && !bytes.Equal(in.batch, want.GetBatch()) || in.batch == nil && !proto.Equal(in.Frame, want) {
			t.Errorf("%v, %q; protobuf's codec: %v", in.Frame, in.batch, want)
		}
	})
}
