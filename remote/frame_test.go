package remote

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

func TestFrameCodecHasProtobufsBytes(t *testing.T) {
	codec, protobuf := encoding.GetCodecV2(frameCodecName), encoding.GetCodecV2("proto")
	for _, size := range []int{1, 100, 5000, 40000, batchBytes, 2 * batchBytes} {
		batch := bytes.Repeat([]byte{7}, size)
		want, err := proto.Marshal(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: batch}})
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []encoding.CodecV2{codec, protobuf} {
			out := newOutFrame(&buffers)
			out.holds(bytes.Clone(batch))
			data, err := by.Marshal(out)
			if err != nil || !bytes.Equal(data.Materialize(), want) {
				t.Errorf("%s writes a batch of %d bytes otherwise than protobuf: %v", by.Name(), size, err)
			}
			var in inFrame
			in.reset()
			half := len(want) / 2 // as gRPC has it when it came in two of its frames
			if err := by.Unmarshal(mem.BufferSlice{mem.SliceBuffer(want[:half]), mem.SliceBuffer(want[half:])}, &in); err != nil {
				t.Fatal(err)
			}
			if got := slices.Concat(in.batch, in.GetBatch()); !bytes.Equal(got, batch) || (in.batch != nil) != (by == codec) {
				t.Errorf("%s reads %d bytes of %d", by.Name(), len(got), size)
			}
			in.release()
			data.Free()
		}
	}
}

func TestFrameCodecReadsEveryFrame(t *testing.T) {
	codec := encoding.GetCodecV2(frameCodecName)
	for _, f := range []*remotepb.Frame{
		{}, {Kind: &remotepb.Frame_Batch{}}, {Kind: &remotepb.Frame_Leaving{Leaving: &remotepb.Leaving{}}},
		{Kind: &remotepb.Frame_Piece{Piece: &remotepb.Piece{Data: []byte("x"), Last: true}}},
	} {
		data, err := codec.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var in inFrame
		in.reset()
		if err := codec.Unmarshal(data, &in); err != nil || !proto.Equal(in.Frame, f) || in.batch != nil {
			t.Errorf("%v was read as %v, %v", f, in.Frame, err)
		}
	}
	// A batch and more after it: what counts is what protobuf makes of it.
	more, err := proto.Marshal(&remotepb.Frame{Kind: &remotepb.Frame_Batch{Batch: []byte("first")}})
	if err != nil {
		t.Fatal(err)
	}
	last := &remotepb.Frame{Kind: &remotepb.Frame_Goodbye{Goodbye: &remotepb.Goodbye{}}}
	rest, err := proto.Marshal(last)
	if err != nil {
		t.Fatal(err)
	}
	var in inFrame
	in.reset()
	if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(append(more, rest...))}, &in); err != nil || !proto.Equal(in.Frame, last) {
		t.Errorf("read as %v, %v", in.Frame, err)
	}
	for _, nonsense := range [][]byte{{0x1a}, {0x1a, 5, 1}, {0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {0xff}} {
		in.reset()
		if err := codec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(nonsense)}, &in); err == nil {
			t.Errorf("%x was read as %v", nonsense, in.Frame)
		}
	}
}

func TestBuffers(t *testing.T) {
	var p bufferPool
	for _, length := range []int{0, 1, 4 << 10, 4<<10 + 1, 40 << 10, batchBytes, 1 << 20} {
		b := p.Get(length)
		if len(*b) != length || cap(*b) < length {
			t.Errorf("%d bytes of %d for %d", len(*b), cap(*b), length)
		}
		*b = (*b)[:length/2]
		p.Put(b)
		if again := p.Get(length); len(*again) != length {
			t.Errorf("the second time %d bytes for %d", len(*again), length)
		}
	}
}
