package lease

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/granary-go/granary/cluster"
	"github.com/granary-go/granary/test/fleet"
)

// counterName names a counter.
type counterName = fleet.Name

// begin has a client call the counters, a call each pace at most, and writes it into the diary. Calls have no options.
func begin(ctx context.Context, name string, c *cluster.Cluster, diary *fleet.Diary, pace time.Duration, counters []counterName) *fleet.Load {
	return fleet.BeginLoad(ctx, name, pace, counters, func(counter counterName) (fleet.Activation, error) {
		return call(c, diary, name, counter, wrapperspb.Int64(1))
	})
}

// call makes one call, writes it into the diary, and gives the activation that answered.
func call(c *cluster.Cluster, diary *fleet.Diary, client string, counter counterName, message any, opts ...cluster.GrainCallOption) (fleet.Activation, error) {
	kind, identity := counter.Split()
	diary.Write(called, client, string(counter))
	reply, err := c.Call(identity, kind, message, opts...)
	text, ok := reply.(*wrapperspb.StringValue)
	if err == nil && !ok {
		err = fmt.Errorf("the reply is a %T", reply)
	}
	if err != nil {
		diary.Write(failed, client, string(counter))
		return fleet.Activation{}, err
	}
	diary.Write(replied, client, text.Value)
	id, _, _ := strings.Cut(text.Value, " ")
	return fleet.ParseActivation(id)
}
