package demo

import (
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/cmd/granary/internal/localweb"
)

// Options are what can be chosen about a demo. Defaults gives the usual ones.
type Options struct {
	// Members is how many there are at the beginning, Grains how many
	// identities are called, Rate how many calls are made in a second.
	Members, Grains, Rate int
	// KillAfter and AddAfter are when a member is killed and when one is
	// added, from the moment at which all grains are active.
	KillAfter, AddAfter time.Duration
	// For is when the demo ends by itself, from the same moment; 0 means
	// never.
	For time.Duration
	// Ping is the time between two pings of a member.
	Ping time.Duration
	// Bound is how soon all grains of the killed member must answer again.
	Bound time.Duration
	// Dashboard is where the dashboard is served; "none" for none.
	Dashboard string
	// Open opens it in a browser.
	Open bool
	// Verbose shows the logs of all processes.
	Verbose bool
	// Colour allows colours in the report.
	Colour bool
}

// Defaults gives the options of a demo that nobody changed.
func Defaults() Options {
	return Options{
		Members: 3, Grains: 300, Rate: 400,
		KillAfter: 5 * time.Second, AddAfter: 10 * time.Second,
		Ping: 250 * time.Millisecond, Bound: 5 * time.Second,
		Dashboard: "127.0.0.1:0",
	}
}

// Bounds of the options.
const (
	minMembers, maxMembers = 2, 9
	minGrains, maxGrains   = 10, 100_000
	minRate, maxRate       = 10, 10_000
	minPing, maxPing       = 50 * time.Millisecond, 10 * time.Second
	maxRound               = 10 * time.Second
	// ending is what must be left between the added member and the end, beside
	// the calls that show that all grains go on.
	ending = 3 * time.Second

	noDashboard = "none"
)

// Validate says what of the options makes no sense, all at once.
func (o Options) Validate() error {
	var errs []error
	number := func(flag string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("--%s is %d: choose from %d to %d", flag, n, least, most))
		}
	}
	number("members", o.Members, minMembers, maxMembers)
	number("grains", o.Grains, minGrains, maxGrains)
	number("rate", o.Rate, minRate, maxRate)
	if o.Ping < minPing || o.Ping > maxPing {
		errs = append(errs, fmt.Errorf("--ping is %v: choose from %v to %v", o.Ping, minPing, maxPing))
	}
	if o.Bound <= 0 {
		errs = append(errs, fmt.Errorf("--recover-within is %v: it must be more than zero", o.Bound))
	}
	if o.Dashboard != noDashboard {
		if err := localweb.Check(o.Dashboard); err != nil {
			errs = append(errs, fmt.Errorf("--dashboard: %w", err))
		}
	}
	switch {
	case o.KillAfter <= 0:
		errs = append(errs, fmt.Errorf("--kill-after is %v: it must be more than zero", o.KillAfter))
	case o.AddAfter <= o.KillAfter:
		errs = append(errs, fmt.Errorf("--add-after is %v: it must be after the kill at %v", o.AddAfter, o.KillAfter))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if o.round() > maxRound {
		return fmt.Errorf("--grains %d at --rate %d: to call each once takes %v, more than %v; choose fewer grains or a higher rate",
			o.Grains, o.Rate, o.round(), maxRound)
	}
	// It takes up to two rounds until each grain has been called again, after
	// the kill and after the addition.
	if least := (o.AddAfter + ending + 4*o.round()).Round(time.Second / 10); o.For != 0 && o.For < least {
		return fmt.Errorf("--for is %v: it must be 0, for no end, or at least %v, so that all can be shown", o.For, least)
	}
	return nil
}

// round is how long it takes to call each grain once.
func (o Options) round() time.Duration {
	return time.Duration(o.Grains) * time.Second / time.Duration(o.Rate)
}

// fresh is how many grains are called for the first time once a member was
// added: so many that, round robin, each owner places one on it.
func (o Options) fresh() int { return max(o.Grains/10, (o.Members+1)*(o.Members+1)) }
