package remote

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// bufferPool is a [mem.BufferPool] for batches. Unlike gRPC's own it does not zero what
// it hands out, which costs as much as the copy that it saves: a batch is written over
// it, or read into it, before anybody looks.
type bufferPool struct {
	classes [len(bufferSizes)]sync.Pool
}

// bufferSizes are the capacities of buffers. One that holds a whole batch is among them.
var bufferSizes = [...]int{4 << 10, 32 << 10, batchBytes + batchBytes/4}

// buffers are for all connections: what one does not need another one takes.
var buffers bufferPool

var _ mem.BufferPool = (*bufferPool)(nil)

// Get implements [mem.BufferPool].
func (p *bufferPool) Get(length int) *[]byte {
	for i, size := range bufferSizes {
		if length > size {
			continue
		}
		if b, ok := p.classes[i].Get().(*[]byte); ok {
			*b = (*b)[:length]
			return b
		}
		b := make([]byte, length, size)
		return &b
	}
	b := make([]byte, length)
	return &b
}

// Put implements [mem.BufferPool]. Buffers of another size are left to the collector.
func (p *bufferPool) Put(b *[]byte) {
	for i, size := range bufferSizes {
		if cap(*b) == size {
			p.classes[i].Put(b)
			return
		}
	}
}
