// Package actortest helps to test actors: systems that end with the test, and
// probes, which are actors that keep what they are sent until the test asks for it.
//
//	func TestGreeter(t *testing.T) {
//		system := actortest.NewSystem(t)
//		greeter := system.Root.Spawn(actor.PropsFromProducer(newGreeter))
//		probe := actortest.NewProbe(t, system)
//		probe.Request(greeter, "Ada")
//		if got := actortest.Expect[string](probe); got != "hello Ada" {
//			t.Error(got)
//		}
//	}
//
// What is expected and does not come fails the test at once with what came instead;
// the wait is bounded by [DefaultPatience]. All of it works inside a testing/synctest
// bubble, too, where waiting takes no time and nothing depends on the load of the
// machine: there make the system inside of the bubble.
package actortest
