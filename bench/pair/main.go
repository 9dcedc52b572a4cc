package pair

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/granary-go/granary/bench/child"
)

// Main runs one case on a peer, as its flags say, prints the result, and exits: 0, or 1 with an error on the standard error.
//
//	-case tell16      the case
//	-n 0              how many operations; 0 is the case's own number
//	-cpuprofile NAME  writes profiles of both processes, NAME.client and NAME.server
//
// It starts itself with -serve for the other process.
func Main(peer func() Peer) {
	if err := program(os.Args[1:], os.Stdin, os.Stdout, peer()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// wordUsage asks the process that serves for its usage. The other lines are its own: listening first, and an empty object for each batch.
const wordUsage = "usage"

type listening struct {
	Address string `json:"address"`
}

func program(args []string, in io.Reader, out io.Writer, p Peer) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	name := flags.String("case", "", "the `name` of the case")
	n := flags.Int("n", 0, "how many operations; 0 is the case's own number")
	profile := flags.String("cpuprofile", "", "a `name` of files for profiles of both processes")
	serves := flags.Bool("serve", false, "be the process that is sent to, until the input ends")
	targets := flags.Int("targets", 1, "with -serve: how many actors")
	batch := flags.Int("batch", 1, "with -serve: after how many messages to tell that they have arrived")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serves {
		return child.Profiled(*profile, func() error { return serveUntilEnd(p, *targets, int64(*batch), in, out) })
	}
	c, err := Find(*name)
	if err != nil {
		return err
	}
	defer p.Close()
	var others []string
	client := ""
	if *profile != "" {
		others, client = []string{"-cpuprofile", *profile + ".server"}, *profile+".client"
	}
	return child.Profiled(client, func() error {
		r, err := c.Run(p, *n, others...)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		return json.NewEncoder(out).Encode(r)
	})
}

// serveUntilEnd has targets until the parent closes the input.
func serveUntilEnd(p Peer, targets int, batch int64, in io.Reader, out io.Writer) error {
	parent := child.NewParent(out)
	var arrived atomic.Int64
	address, err := p.Serve(targets, func() {
		if arrived.Add(1)%batch == 0 {
			_ = parent.Tell(struct{}{}) // a parent that is gone ends this process, too
		}
	})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if err := parent.Tell(listening{address}); err != nil {
		return err
	}
	return child.Obey(in, func(line string) error {
		if line != wordUsage {
			return fmt.Errorf("the parent says %q", line)
		}
		u := child.UsageNow()
		u.Arrived = arrived.Load()
		return parent.Tell(u)
	})
}
