package remote

import (
	"google.golang.org/grpc/encoding"
	grpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/granary-go/granary/remote/internal/remotepb"
)

// frameStream is the stream of a connection; both ends of gRPC's satisfy it. Frames
// with a batch are sent and received by SendMsg and RecvMsg, as outFrame and inFrame.
type frameStream interface {
	Send(*remotepb.Frame) error
	SendMsg(any) error
	RecvMsg(any) error
}

// outFrame is a frame with a batch. It is a remotepb.Frame for every codec but
// frameCodec, which does not copy the batch.
type outFrame struct {
	*remotepb.Frame

	batch *remotepb.Frame_Batch
	data  *[]byte // the batch; frameCodec gives it to pool when it was written
	pool  mem.BufferPool
}

func newOutFrame(pool mem.BufferPool) *outFrame {
	batch := &remotepb.Frame_Batch{}
	return &outFrame{Frame: &remotepb.Frame{Kind: batch}, batch: batch, pool: pool}
}

// holds makes f the frame of a batch.
func (f *outFrame) holds(batch []byte) { f.batch.Batch, f.data = batch, &batch }

// inFrame is a frame that was received. It is a remotepb.Frame for every codec but
// frameCodec, which does not copy a batch: that is to be released when it was read.
type inFrame struct {
	*remotepb.Frame

	batch  []byte // of a frame that is nothing else; nil if Frame has what was received
	buffer mem.Buffer
}

func (f *inFrame) reset() { *f = inFrame{Frame: &remotepb.Frame{}} }

// release ends the life of batch.
func (f *inFrame) release() {
	if f.buffer != nil {
		f.buffer.Free()
		f.batch, f.buffer = nil, nil
	}
}

// frameCodecName is the content subtype of streams whose dialler uses frameCodec. The
// bytes are those of protobuf's codec: a gRPC server that does not know the name uses
// that one, with a warning. An interceptor that keeps a frame after it was sent may find
// another batch in it.
const frameCodecName = "granary"

// frameCodec is protobuf's codec, but for batches: those it hands to gRPC, and takes
// from it, without a copy.
type frameCodec struct{ encoding.CodecV2 }

func init() {
	encoding.RegisterCodecV2(frameCodec{encoding.GetCodecV2(grpcproto.Name)})
}

func (frameCodec) Name() string { return frameCodecName }

// The field of remotepb.Frame that holds a batch.
const fieldBatch = 3

func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	f, ok := v.(*outFrame)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	head := protowire.AppendTag(make([]byte, 0, 12), fieldBatch, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(*f.data)))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.NewBuffer(f.data, f.pool)}, nil
}

func (c frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	f, ok := v.(*inFrame)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(&buffers)
	if batch, only := onlyBatch(buffer.ReadOnlyData()); only {
		f.batch, f.buffer = batch, buffer
		return nil
	}
	buffer.Free()
	return c.CodecV2.Unmarshal(data, f.Frame)
}

// onlyBatch returns the batch of a frame in which nothing else is.
func onlyBatch(data []byte) (batch []byte, only bool) {
	field, kind, n := protowire.ConsumeTag(data)
	if n < 0 || field != fieldBatch || kind != protowire.BytesType {
		return nil, false
	}
	batch, m := protowire.ConsumeBytes(data[n:])
	return batch, m == len(data)-n && len(batch) > 0
}
