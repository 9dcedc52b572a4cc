package remote

import (
	"testing"
	"testing/synctest"
)

func TestAskOverLoopback(t *testing.T) {
	a, b := startProcess(t, Configure("127.0.0.1", 0)), startProcess(t, Configure("127.0.0.1", 0))
	a.mustAsk(b.echo("echo"), "there")
	b.mustAsk(a.echo("echo"), "and back")
	if n := a.remote.Stats().Connections; n != 1 {
		t.Errorf("%d connections for both directions, want 1", n)
	}
}

func TestAskInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNetwork()
		a, b := startProcess(t, n.on("a", 1)), startProcess(t, n.on("b", 0))
		a.mustAsk(b.echo("echo"), "there")
		b.mustAsk(a.echo("echo"), "and back")
	})
}
