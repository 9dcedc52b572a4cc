package etcd

import (
	"bytes"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// FuzzFenced has anything stand where a fenced value is. What is taken is written as it was read.
func FuzzFenced(f *testing.F) {
	f.Add(encodeFenced(driver.Fence{Term: 1, Seq: 2}, []byte("value")))
	f.Add(encodeFenced(driver.Fence{Term: 1, Seq: 2}, nil))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fence, value, err := decodeFenced(data)
		if err != nil {
			return
		}
		if again := encodeFenced(fence, value); !bytes.Equal(again, data) {
			t.Errorf("%q came back as %q", data, again)
		}
	})
}
