package partition

import (
	"github.com/granary-go/granary/actor"
)

// stopOnFailure is how a machine's actor is supervised: an instance made anew
// would have forgotten what it promised and what it granted. The watchdog
// finds the cause of its end in the lookup.
func (l *Lookup) stopOnFailure(name string) actor.PropsOption {
	return actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(reason any) actor.Directive {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.causes[name] = reason
		return actor.StopDirective
	}))
}

// watchdog hears of the end of the lookup's actors, whatever ended them.
func (l *Lookup) watchdog() *actor.Props {
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(l.owner)
			ctx.Watch(l.host)
		case *actor.Terminated:
			l.ended(m.Who.Id)
		}
	}, actor.WithoutDefaults())
}

func (l *Lookup) ended(name string) {
	l.mu.Lock()
	cause, closed := l.causes[name], l.ctx.Err() != nil
	l.mu.Unlock()
	if !closed {
		l.failure.Tell(&l.cfg.Config, name, cause)
	}
}
