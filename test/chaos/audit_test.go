package chaos

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/granary-go/granary/test/chaos/history"
	"github.com/granary-go/granary/wire/adminpb"
)

// audit has a member ask all others what their owners and hosts have, and records what should be zero. Without leases a member
// that lives may have been taken for dead, and what owners count themselves is no fault.
func (c *client) audit(ctx context.Context) error {
	at := fmt.Sprintf("%s:%d", c.role.Hosts[0], remotePort)
	conn, err := grpc.NewClient("passthrough:///"+at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	said, err := c.auditOf(ctx, adminpb.NewAdminClient(conn))
	if err != nil {
		return err
	}
	record := func(name string, value int64, text any) {
		c.recorder.Audit(history.Audit{Process: c.role.Name, Name: name, Value: value, Text: fmt.Sprint(text)})
	}
	record("grains that owners and hosts do not agree on", int64(len(said.Violations))+said.MoreViolations, said.Violations)
	record("members that do not answer an audit", int64(len(said.Failures)), said.Failures)
	if c.role.leased() {
		record("violations that owners have counted", said.Recorded, "")
	}
	if said.Hosted+said.Entered == 0 {
		return fmt.Errorf("an audit has seen no grain: %v", said)
	}
	return nil
}

// auditOf asks again while a member is not in the cluster, which the last fault may have removed it from: it joins again by itself.
// Where there is no grain, as all members stopped theirs to join another one's view when nobody called any more, all are called
// once more.
func (c *client) auditOf(ctx context.Context, admin adminpb.AdminClient) (*adminpb.AuditResponse, error) {
	for {
		said, err := admin.Audit(ctx, &adminpb.AuditRequest{})
		empty := err == nil && said.Hosted+said.Entered == 0
		if empty {
			if err := c.probe(); err != nil {
				return nil, err
			}
		}
		settled := err == nil && len(said.Failures) == 0 && !empty
		if settled || err != nil && status.Code(err) != codes.Unavailable || !pause(ctx, gaugePause) {
			return said, err
		}
	}
}
