package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// watching is what a watch command line asks for.
type watching struct {
	connection

	local bool
	span  time.Duration
	most  int
}

func newWatch() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "what happens in the cluster, as it happens",
		Long: `watch prints what happens, a line each, until Ctrl-C: views, members that join and leave,
slots that move, leases, connections, and samples of messages that could not be
delivered (dead letters), ten a second of each member at most, with their number.

Members do not wait for whoever watches: if you read too slowly, events are left out
and a line says how many. If the member that is talked to goes away, watch goes on with
another one, and says so. With --json each line is a document.`,
		Example: "  granary watch\n  granary watch --json --for 1m | jq -c 'select(.left)'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := w.check()
			if w.span < 0 {
				err = errors.Join(err, fmt.Errorf("--for is %v: it must not be negative", w.span))
			}
			if w.most < 0 {
				err = errors.Join(err, fmt.Errorf("--events is %d: it must not be negative", w.most))
			}
			if err != nil {
				return misuse(err)
			}
			return w.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	w.flags(cmd, patience)
	flags := cmd.Flags()
	flags.BoolVar(&w.local, "local", false, "only what that member sees itself")
	flags.DurationVar(&w.span, "for", 0, "end after this time; 0 goes on until Ctrl-C")
	flags.IntVar(&w.most, "events", 0, "end after so many; 0 is no limit")
	return cmd
}

// errEnough says that all that was asked for has been printed.
var errEnough = errors.New("enough")

// pauseBetween is how long watch waits before it goes on with another member, when it has
// just begun with one: a stream that breaks at once is not asked for in a loop.
const pauseBetween = time.Second

// run goes from member to member until it is told to end, or none is left. That it
// was told to is no failure if anything has been watched until then.
func (w *watching) run(ctx context.Context, out, errs io.Writer) error {
	if w.span > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.span)
		defer cancel()
	}
	known := slices.Clone(w.members)
	watched := false
	for failures := 0; ; {
		address, since := known[0], time.Now()
		began, err := w.follow(ctx, address, &known, out)
		watched = watched || began
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.As(err, new(writeError)):
			return err
		case ctx.Err() != nil && watched:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("nothing was watched: %w", explained(address, err))
		case began:
			failures = 0
		}
		if failures++; failures > len(known) || !moves(err) {
			return explained(address, err)
		}
		known = append(known[1:], address)
		fmt.Fprintf(errs, "granary: %s; going on with %s, what happened in between is not shown\n", safe(explained(address, err).Error()), printable(known[0]))
		select {
		case <-time.After(pauseBetween - time.Since(since)):
		case <-ctx.Done():
		}
	}
}

// writeError is that events cannot be printed: no other member helps.
type writeError struct{ error }

// Unwrap gives the error.
func (e writeError) Unwrap() error { return e.error }

// moves reports whether another member may do better.
func moves(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.Canceled || code == codes.ResourceExhausted || errors.Is(err, io.EOF)
}

// follow prints the events of one stream. known is what other members there are.
func (w *watching) follow(ctx context.Context, address string, known *[]string, out io.Writer) (began bool, err error) {
	conn, err := w.dial(address)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patient := time.AfterFunc(w.timeout, cancel) // until the first event
	defer patient.Stop()
	stream, err := pb.NewAdminClient(conn).Watch(ctx, &pb.WatchRequest{Local: w.local})
	if err != nil {
		return false, err
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			if !began && status.Code(err) == codes.Canceled {
				err = status.Error(codes.DeadlineExceeded, "no event came")
			}
			return began, err
		}
		patient.Stop()
		began = true
		for _, m := range r.GetEvent().GetBegan().GetMembers() {
			if !slices.Contains(*known, m.GetAddress()) && len(*known) < 100 {
				*known = append(*known, m.GetAddress())
			}
		}
		if err := w.print(out, r.GetEvent()); err != nil {
			return began, writeError{err}
		}
		if w.most--; w.most == 0 {
			return began, errEnough
		}
	}
}

func (w *watching) print(out io.Writer, e *pb.Event) error {
	if w.asJSON {
		data, err := protojson.Marshal(e)
		if err != nil {
			return err
		}
		return compacted(out, data)
	}
	at := time.Unix(0, e.GetAtUnixNanos()).Format("15:04:05.000")
	_, err := fmt.Fprintf(out, "%s  %-21s  %s\n", at, printable(e.GetMember().GetAddress()), eventText(e))
	return err
}

// eventText says in a line what has happened. What a newer member tells is named by its
// number in the .proto.
func eventText(e *pb.Event) string {
	switch what := e.GetWhat().(type) {
	case *pb.Event_Began:
		return fmt.Sprintf("watching: view %d of %s, members: %d", what.Began.GetEpoch(), printable(what.Began.GetIncarnation()), what.Began.GetCount())
	case *pb.Event_View:
		text := fmt.Sprintf("view %d, members: %d", what.View.GetEpoch(), what.View.GetCount())
		if what.View.GetUnites() {
			text += "; it unites the sides of a split"
		}
		return text
	case *pb.Event_Joined:
		return "joined: " + printable(called(what.Joined.GetMember()))
	case *pb.Event_Left:
		if what.Left.GetLost() {
			return "lost: " + printable(called(what.Left.GetMember()))
		}
		if what.Left.GetUnknownHow() {
			return "left, not known how: " + printable(called(what.Left.GetMember()))
		}
		return "left: " + printable(called(what.Left.GetMember()))
	case *pb.Event_Leaving:
		return "leaving: " + printable(called(what.Leaving.GetMember()))
	case *pb.Event_Slots:
		parts := []string{fmt.Sprintf("slots: %d move", what.Slots.GetMoved())}
		for _, s := range what.Slots.GetShares() {
			parts = append(parts, fmt.Sprintf("%s %d→%d", printable(called(s.GetMember())), s.GetBefore(), s.GetAfter()))
		}
		return strings.Join(parts, "; ")
	case *pb.Event_DeadLetter:
		d := what.DeadLetter
		return fmt.Sprintf("dead letter: %s to %s: %s (%d since the last sample)", printable(d.GetMessageType()), printable(d.GetTarget()), printable(d.GetReason()), d.GetCount())
	case *pb.Event_Lease:
		return "lease: " + word(what.Lease.GetLease(), "LEASE_")
	case *pb.Event_Connection:
		if what.Connection.GetConnected() {
			return "connected: " + printable(called(what.Connection.GetPeer()))
		}
		return fmt.Sprintf("disconnected: %s: %s", printable(called(what.Connection.GetPeer())), printable(what.Connection.GetWhy()))
	case *pb.Event_Missed:
		return fmt.Sprintf("missed: %d events were left out", what.Missed.GetCount())
	case *pb.Event_Silent:
		return "silent: what happens there is not told: " + printable(what.Silent.GetWhy())
	default:
		return "an event that this granary does not know; the member is newer"
	}
}
