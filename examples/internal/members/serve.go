package members

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/granary-go/granary/cluster"
)

// ready is what a member says first, before its address.
const ready = "ready "

// Serve is the life of a member: it is in the cluster from Start until it is told to end, by SIGTERM, Ctrl-C or the end of
// the process that has started it, and takes its leave.
func Serve(c *cluster.Cluster) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // ends with the process: nothing else reads its standard input
		_, _ = io.Copy(io.Discard, os.Stdin) // which ends with the parent
		stop()
	}()
	if err := c.StartContext(ctx); err != nil {
		return errors.Join(errors.New("the member does not start"), err)
	}
	fmt.Println(ready + c.ActorSystem().Address())
	<-ctx.Done()
	return c.Shutdown(true)
}
