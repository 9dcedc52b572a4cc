package record

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

func TestMayPass(t *testing.T) {
	for _, c := range []struct {
		err    error
		passes bool
	}{
		{nil, false},
		{errors.New("no permission"), false},
		{context.Canceled, false},
		{fmt.Errorf("register: %w", context.DeadlineExceeded), true},
		{fmt.Errorf("register: %w", driver.ErrUnavailable), true},
		{&url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}, true},
		{&url.Error{Op: "Get", Err: &net.DNSError{Err: "no such host", Name: "etcd"}}, true},
		{&url.Error{Op: "Get", Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, false},
		{&url.Error{Op: "Get", Err: &net.OpError{Op: "remote error", Err: tls.AlertError(42)}}, false},
	} {
		got := mayPass(c.err)
		if errors.Is(got, driver.ErrUnavailable) != c.passes || !errors.Is(got, c.err) || got != nil && got.Error() != c.err.Error() {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
