package workload

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

// Main runs one case on a peer, as its flags say, prints the result, and exits: 0, or 1 with an error on the standard error.
//
//	-case tell   the case
//	-n 0         how many operations; 0 is the case's own number
func Main(peer func() (Peer, error)) {
	if err := program(os.Args[1:], os.Stdout, peer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func program(args []string, out io.Writer, peer func() (Peer, error)) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	name := flags.String("case", "", "the `name` of the case")
	n := flags.Int("n", 0, "how many operations; 0 is the case's own number")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := Find(*name)
	if err != nil {
		return err
	}
	p, err := peer()
	if err != nil {
		return fmt.Errorf("the peer does not start: %w", err)
	}
	defer p.Close()
	r, err := c.Run(p, *n)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	return json.NewEncoder(out).Encode(r)
}
