package trio

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/granary-go/granary/bench/child"
)

// Main runs one case on a peer, as its flags say, prints the result, and exits: 0, or 1 with an error on the standard error.
//
//	-case grain64     the case
//	-n 0              how many operations; 0 is the case's own number
//	-cpuprofile NAME  writes profiles of the processes, NAME.client and NAME.member0 and so on
//
// It starts itself with -member for each member.
func Main(peer func() Peer) {
	if err := program(os.Args[1:], os.Stdin, os.Stdout, peer()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What a member is told. It answers with an object: at first, when it knows all members, with an empty one.
const (
	wordUsage = "usage"
	wordLeave = "leave"
)

func program(args []string, in io.Reader, out io.Writer, p Peer) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	name := flags.String("case", "", "the `name` of the case")
	n := flags.Int("n", 0, "how many operations; 0 is the case's own number")
	profile := flags.String("cpuprofile", "", "a `name` of files for profiles of all processes")
	member := flags.String("member", "", "be a member on this `seat`, until the input ends")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *member != "" {
		var s Seat
		if err := json.Unmarshal([]byte(*member), &s); err != nil {
			return err
		}
		return child.Profiled(*profile, func() error { return memberUntilEnd(p, s, in, out) })
	}
	c, err := Find(*name)
	if err != nil {
		return err
	}
	client, others := "", func(int) []string { return nil }
	if *profile != "" {
		client = *profile + ".client"
		others = func(member int) []string { return []string{"-cpuprofile", *profile + ".member" + strconv.Itoa(member)} }
	}
	return child.Profiled(client, func() error {
		r, err := c.Run(p, *n, others)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		return json.NewEncoder(out).Encode(r)
	})
}

// memberUntilEnd is a member until it leaves or the parent closes the input.
func memberUntilEnd(p Peer, s Seat, in io.Reader, out io.Writer) error {
	if err := p.Join(s); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	if err := await(p); err != nil {
		return err
	}
	parent := child.NewParent(out)
	if err := parent.Tell(struct{}{}); err != nil {
		return err
	}
	err := child.Obey(in, func(line string) error {
		switch line {
		case wordUsage:
			return parent.Tell(child.UsageNow())
		case wordLeave:
			if err := p.Leave(); err != nil {
				return fmt.Errorf("leave: %w", err)
			}
			return io.EOF // the parent has nothing more to say
		default:
			return fmt.Errorf("the parent says %q", line)
		}
	})
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
