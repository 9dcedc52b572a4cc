package remote

import "github.com/granary-go/granary/actor"

// watchKey is a watch between two processes: who is watched, and by whom.
type watchKey struct{ who, watcher string }

// watches are those between the actors here and those at one peer. They belong to
// an endpoint, whose mutex guards them, and end with the connection.
type watches struct {
	ours   map[watchKey]watch    // the watcher lives here
	theirs map[watchKey]struct{} // the watcher lives at the peer
}

type watch struct{ who, watcher *actor.PID }

func (w *watches) add(who, watcher *actor.PID) {
	if w.ours == nil {
		w.ours = make(map[watchKey]watch)
	}
	w.ours[watchKey{who.Id, watcher.Id}] = watch{who, watcher}
}

func (w *watches) has(who, watcher *actor.PID) bool {
	_, ok := w.ours[watchKey{who.Id, watcher.Id}]
	return ok
}

// remove reports whether there was such a watch.
func (w *watches) remove(who, watcher string) bool {
	_, ok := w.ours[watchKey{who, watcher}]
	delete(w.ours, watchKey{who, watcher})
	return ok
}

// addTheirs is false if it would be more than most.
func (w *watches) addTheirs(who, watcher string, most int) bool {
	key := watchKey{who, watcher}
	if _, ok := w.theirs[key]; !ok && len(w.theirs) >= most {
		return false
	}
	if w.theirs == nil {
		w.theirs = make(map[watchKey]struct{})
	}
	w.theirs[key] = struct{}{}
	return true
}

// removeTheirs reports whether there was such a watch.
func (w *watches) removeTheirs(who, watcher string) bool {
	_, ok := w.theirs[watchKey{who, watcher}]
	delete(w.theirs, watchKey{who, watcher})
	return ok
}

// drain returns all watches and forgets them.
func (w *watches) drain() watches {
	all := *w
	*w = watches{}
	return all
}

// end tells both sides' actors here that the connection is gone: those who watch
// actors at the peer, and those whom its actors watch.
func (w *watches) end(system *actor.ActorSystem, peer string) {
	for _, o := range w.ours {
		terminate(system, o.who, o.watcher)
	}
	for key := range w.theirs {
		who := system.NewLocalPID(key.who)
		process, _ := system.ProcessRegistry.GetLocal(key.who)
		process.SendSystemMessage(who, &actor.Unwatch{Watcher: actor.NewPID(peer, key.watcher)})
	}
}

func terminate(system *actor.ActorSystem, who, watcher *actor.PID) {
	process, _ := system.ProcessRegistry.Get(watcher)
	process.SendSystemMessage(watcher, &actor.Terminated{Who: who, Why: actor.TerminatedReasonAddressTerminated})
}
