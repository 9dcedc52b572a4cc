package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/granary-go/granary/test/process"
)

// pace holds the times of a run. They follow from the article: a ping each second, a grain idle after ten.
type pace struct {
	ping   time.Duration // between two pings
	answer time.Duration // in which a ping must be answered while nothing is wrong
	idle   time.Duration // the grain's timeout
	down   time.Duration // how long the member stays dead
	back   time.Duration // in which pings must be answered again after it is back
	exit   time.Duration // in which a process must end when it is interrupted
}

var articlePace = pace{ping: time.Second, answer: 10 * time.Second, idle: 10 * time.Second, down: 4 * time.Second, back: 30 * time.Second, exit: 5 * time.Second}

// What the article's programs print.
var (
	pong    = regexp.MustCompile(`Received cnt: ?(\d+)$`)
	logged  = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARN|ERROR) `) // ours, through log/slog
	stamped = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)
)

func isPing(text string) bool        { return strings.Contains(text, "Received Ping call") }
func isTermination(text string) bool { return strings.Contains(text, "Terminating ponger: ponger-1") }

// isOutcome tells whether the client says how a call ended: the pong, or an error in its own words.
func isOutcome(text string) bool {
	return pong.MatchString(text) || stamped.MatchString(text) && !logged.MatchString(text) && !strings.HasSuffix(text, "Finish")
}

// A drive is one run of the two programs.
type drive struct {
	out            *transcript
	pace           pace
	programs       programs
	member, client *process.Process
	last           int // the last count that was answered
}

// run takes the programs through the whole story. Both have ended when it returns.
func (d *drive) run(ctx context.Context) (err error) {
	defer func() {
		for _, p := range []*process.Process{d.client, d.member} {
			if p != nil {
				p.Kill()
			}
		}
	}()
	for _, step := range []func(context.Context) error{d.begin, d.passivate, d.killMember, d.end} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// begin starts member and client: the first five pings are answered in order.
func (d *drive) begin(ctx context.Context) (err error) {
	if d.member, err = start(ctx, d.out, "member", d.programs.member); err != nil {
		return err
	}
	if d.client, err = start(ctx, d.out, "client", d.programs.client); err != nil {
		return err
	}
	if err := d.answered(ctx, 5); err != nil {
		return err
	}
	for n := range d.last {
		if _, err := d.member.Next(ctx, d.pace.answer, fmt.Sprintf("line about ping %d", n+1), isPing); err != nil {
			return err
		}
	}
	d.out.sayf("OK: %d pings were answered with the count that was sent", d.last)
	return nil
}

// answered expects the next n outcomes to be pongs with the counts that follow the last one.
func (d *drive) answered(ctx context.Context, n int) error {
	for range n {
		l, err := d.client.Next(ctx, d.pace.answer, "answer to a ping", isOutcome)
		if err != nil {
			return err
		}
		if err := d.follows(l.Text); err != nil {
			return err
		}
	}
	return nil
}

// follows expects an outcome to be the pong with the next count.
func (d *drive) follows(outcome string) error {
	m := pong.FindStringSubmatch(outcome)
	if m == nil {
		return fmt.Errorf("ping %d failed: %s", d.last+1, outcome)
	}
	if got, _ := strconv.Atoi(m[1]); got != d.last+1 {
		return fmt.Errorf("ping %d was answered with %s", d.last+1, m[1])
	}
	d.last++
	return nil
}

// passivate holds the client until the grain's idle timeout has passed, and lets it go on.
func (d *drive) passivate(ctx context.Context) error {
	if len(d.member.Drain(isTermination)) > 0 {
		return errors.New("the grain was terminated while it was called")
	}
	if err := d.client.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	paused := time.Now()
	d.out.sayf("client paused; the grain has a timeout of %s", d.pace.idle)
	l, err := d.member.Next(ctx, d.pace.idle*2, "line about the grain's termination", isTermination)
	if err != nil {
		return err
	}
	// The last ping may have come up to one beat before the pause.
	idle := l.At.Sub(paused)
	if idle < d.pace.idle-d.pace.ping-200*time.Millisecond {
		return fmt.Errorf("the grain was terminated after %s without a ping, its timeout is %s", idle.Round(time.Millisecond), d.pace.idle)
	}
	d.out.sayf("OK: the grain was terminated %.1fs after the pause", idle.Seconds())

	// What the client printed before the pause is no sign of a new activation.
	for _, l := range d.client.Drain(isOutcome) {
		if err := d.follows(l.Text); err != nil {
			return err
		}
	}
	d.member.Drain(isPing)
	if err := d.client.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	d.out.sayf("client goes on")
	if err := d.answered(ctx, 3); err != nil {
		return fmt.Errorf("after the grain's termination: %w", err)
	}
	if _, err := d.member.Next(ctx, d.pace.answer, "ping after the grain's termination", isPing); err != nil {
		return err
	}
	d.out.sayf("OK: the next ping activated it again")
	return nil
}

// killMember kills the member and starts it again: the client finds it without being started again.
func (d *drive) killMember(ctx context.Context) (err error) {
	d.member.Kill()
	d.out.sayf("member killed; it stays dead for %s", d.pace.down)
	timer := time.NewTimer(d.pace.down)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	failed := 0
	for _, l := range d.client.Drain(isOutcome) {
		if d.follows(l.Text) != nil {
			failed++
		}
	}
	d.out.sayf("%d calls have failed meanwhile, and one may be waiting", failed)

	if d.member, err = start(ctx, d.out, "member", d.programs.member); err != nil {
		return err
	}
	began := time.Now()
	l, err := d.client.Next(ctx, d.pace.back, "answer after the member's return", pong.MatchString)
	if err != nil {
		return err
	}
	d.out.sayf("OK: the client has an answer %.1fs after the member's start", l.At.Sub(began).Seconds())
	if d.last, err = strconv.Atoi(pong.FindStringSubmatch(l.Text)[1]); err != nil {
		return err
	}
	if err := d.answered(ctx, 3); err != nil {
		return fmt.Errorf("after the member's return: %w", err)
	}
	d.out.sayf("OK: calls go on, and the client is still process %d", d.client.ID())
	return nil
}

// end interrupts both programs, which the article ends that way.
func (d *drive) end(context.Context) error {
	for _, p := range []*process.Process{d.client, d.member} {
		if err := p.Interrupt(d.pace.exit); err != nil {
			return err
		}
	}
	d.out.sayf("OK: both ended when interrupted")
	return nil
}
