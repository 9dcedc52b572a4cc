// Package actor is the local actor model that everything in this module stands
// on. It imports the standard library only.
//
// An actor is a value with a Receive method and a mailbox. The system calls
// Receive for one message at a time, so an actor's fields need no lock. What
// the world holds is its [PID]; sending to a PID never blocks.
//
//	system := actor.NewActorSystem()
//	defer system.Shutdown()
//
//	greeter := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
//		switch msg := ctx.Message().(type) {
//		case *actor.Started: // the first message of every actor
//		case string:
//			ctx.Respond("hello " + msg)
//		}
//	}))
//	reply, err := actor.Ask[string](ctx, system.Root, greeter, "world")
//
// # Messages
//
// A message is any value but nil. Messages are immutable after they are sent: a
// send inside one process passes the value as it is, a pointer stays a pointer,
// and nothing is copied or serialised. Two messages from one actor to another
// arrive in the order in which they were sent.
//
// # Life
//
// An actor receives *[Started] first. [RootContext.Stop] lets it finish the
// message it handles; what is queued and what arrives later becomes a dead
// letter. [RootContext.Poison] lets it handle what was sent before. Either way
// it receives *[Stopping], then its children stop, then it receives *[Stopped],
// its name becomes free, and those who watch it receive *[Terminated], in this
// order. After *Stopping nothing but *Stopped is delivered.
//
// An actor that panics is suspended while its parent's [SupervisorStrategy]
// decides; by default it is restarted: the old instance receives *[Restarting],
// its children stop, the [Producer] makes a new instance, and that receives
// *Started and then the messages that waited. Only the message that was being
// handled is gone. An actor that fails more than 10 times in 10 seconds is
// stopped.
//
// # Dead letters
//
// A message that no actor will handle is a dead letter: a [DeadLetterEvent] on
// [ActorSystem.EventStream] and, if somebody waits for an answer, a
// *[DeadLetterResponse] to them at once, which a [Future] turns into a
// [*DeadLetterError]. It means that the message certainly did not run.
//
// # Other processes
//
// A PID with another process's address leads to whatever a transport registered
// with [ProcessRegistry.RegisterAddressResolver]; package remote is one.
package actor
