package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Run plays the demo until Options.For is over or the context is done, and
// writes the report to out. It returns when no process of it is left, with an
// error if something that it showed was not true or, with Options.For, was not
// shown. Options are valid. Logs go to errs if they are to be shown.
func Run(ctx context.Context, o Options, out, errs io.Writer) error {
	if !o.Verbose {
		errs = nil
	}
	s := &story{options: o, ledger: newLedger(), report: &report{out: out, colour: o.Colour, columns: o.Members + 1}}
	var err error
	if s.fleet, err = newFleet(o, errs, s.ended); err != nil {
		return err
	}
	s.began = time.Now()
	if err := s.prepare(ctx, errs); err != nil {
		stopped := s.fleet.stop()
		if ctx.Err() != nil {
			return errors.Join(errors.New("demo: stopped before it began"), stopped)
		}
		return errors.Join(err, stopped)
	}
	s.run(ctx)

	s.report.textf(faint, "\nStopping the client and %d members.", len(s.client.cluster.Members()))
	f := s.outcome(errors.Join(s.board.close(), s.client.close(), s.fleet.stop()))
	claims := f.claims(o)
	s.report.verdict(claims)
	return judge(claims, o.For > 0)
}

// prepare starts the members and the client, and calls each grain once.
func (s *story) prepare(ctx context.Context, log io.Writer) error {
	o := s.options
	s.report.textf(bold, "%d members and a client, each a process on this machine; %s grains, %s calls a second.",
		o.Members, thousands(o.Grains), thousands(o.Rate))
	members, err := s.fleet.launch(ctx, o.Members)
	if err != nil {
		return err
	}
	for _, p := range members {
		s.report.textf(plain, "  member %d  pid %-7d  %s", p.number, p.pid(), p.address())
	}
	s.load = newLoad(ctx, s.ledger, o.Rate, func(ctx context.Context, name string) (reply, error) { return s.client.call(ctx, name) })
	if s.client, err = connect(ctx, o, s.fleet.addresses(), log, s.load.stats.shown); err != nil {
		return err
	}
	if s.board, err = s.serveBoard(ctx); err != nil {
		return errors.Join(err, s.client.close())
	}
	s.tellBoard(ctx)
	start := time.Now()
	grains := s.ledger.open(o.Grains)
	if err := s.load.add(ctx, grains); err != nil {
		return errors.Join(fmt.Errorf("call each grain for the first time: %w", err), s.board.close(), s.client.close())
	}
	s.report.textf(plain, "All grains answered their first call within %s: %s", seconds(time.Since(start)), spread(s.ledger.tally(grains)))
	at := make([]string, len(members))
	for i, p := range members {
		at[i] = p.address()
	}
	s.report.textf(faint, "To look at it, from another terminal:\n  export GRANARY_MEMBER=%s\n  granary members\n  granary explain %s/%s\n",
		strings.Join(at, ","), counterKind, s.ledger.names(grains[:1])[0])
	s.load.stats.take()
	return nil
}

// run has the load, the report and the story go on side by side.
func (s *story) run(ctx context.Context) {
	s.began = time.Now()
	cancel := context.CancelFunc(func() {})
	if s.options.For > 0 {
		ctx, cancel = context.WithTimeout(ctx, s.options.For)
	}
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.load.run(ctx) })
	wg.Go(func() { s.rows(ctx) })
	wg.Go(func() { s.play(ctx) })
	wg.Wait()
}
