package zk

import (
	"slices"
	"strings"
	"testing"
)

func TestServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		servers []string
		want    []string
		chroot  string
	}{
		{[]string{"a"}, []string{"a:2181"}, ""},
		{[]string{"a:1", "b:2"}, []string{"a:1", "b:2"}, ""},
		{[]string{"a:1,b, c:3"}, []string{"a:1", "b:2181", "c:3"}, ""},
		{[]string{"a,b/app"}, []string{"a:2181", "b:2181"}, "/app"},
		{[]string{"a/app/x/", "b/app/x"}, []string{"a:2181", "b:2181"}, "/app/x"},
		{[]string{"a", "b/app"}, []string{"a:2181", "b:2181"}, "/app"},
		{[]string{"a/"}, []string{"a:2181"}, ""},
		{[]string{"[::1]", "[::1]:7", "::1"}, []string{"[::1]:2181", "[::1]:7", "[::1]:2181"}, ""},
	} {
		names, chroot, err := parseServers(c.servers)
		if err != nil || !slices.Equal(names, c.want) || chroot != c.chroot {
			t.Errorf("%q: %q, %q, %v; want %q, %q", c.servers, names, chroot, err, c.want, c.chroot)
		}
	}
}

func TestNonsenseServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		servers []string
		want    string
	}{
		{nil, "no servers"},
		{[]string{""}, "is no host"},
		{[]string{"a,,b"}, "is no host"},
		{[]string{":2181"}, "is no host"},
		{[]string{"a:"}, "is no port"},
		{[]string{"a:x"}, "is no port"},
		{[]string{"a:70000"}, "is no port"},
		{[]string{"a b"}, "is no host"},
		{[]string{"zk://a:1"}, "without a scheme"},
		{[]string{"http://a:1/app"}, "without a scheme"},
		{[]string{"a/app", "b/other"}, "two chroots"},
		{[]string{"a/app,b/other"}, "behind the last"},
		{[]string{"a/app//x"}, "is no path"},
		{[]string{"a/../x"}, "is no path"},
	} {
		_, err := config{servers: c.servers, prefix: DefaultPrefix}.open("test")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; want an error with %q", c.servers, err, c.want)
		}
	}
	_, err := config{servers: []string{"granary:secret@a"}}.open("test")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "WithAuth") {
		t.Errorf("a server with a password: %v; want an error that names WithAuth and not the password", err)
	}
}

func TestNodeNames(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, text := range []string{"a", "a/b", "a%2Fb", ".", "..", "...", "%2E", "a.b", "ü", "a b", "a\x00", "\u0001", "\uf8ff"} {
		name := nodeName(text)
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q have the name %q", text, other, name)
		}
		if seen[name] = text; strings.ContainsAny(name, "/\x00\x01") || name == "." || name == ".." {
			t.Errorf("%q has the name %q, which is none of a node", text, name)
		}
	}
}
