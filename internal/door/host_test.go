package door

import (
	"net"
	"testing"
)

func TestHosts(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[::ffff:10.0.0.1]:80": "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64", "[2001:db8:1:2::9]:81": "2001:db8:1:2::/64", "[2001:db8:1:3::9]:81": "2001:db8:1:3::/64",
	} {
		a, err := net.ResolveTCPAddr("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := hostOf(a); got != want {
			t.Errorf("%s is of %q, want %q", address, got, want)
		}
	}
	if got := hostOf(nil); got != "" {
		t.Errorf("no address is of %q", got)
	}
}
