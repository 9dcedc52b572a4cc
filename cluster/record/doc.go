// Package record makes a membership provider of a store that can do little: one
// value with compare-and-set, and keys that vanish unless they are renewed. See
// [driver.RecordStore] for what it must do, and package cluster/drivertest for
// the tests that it must pass. Everything else is written once, here: who is a
// member, who writes the view record and when, leases, retries and pauses.
//
// A backend is then a few lines:
//
//	func New(endpoints []string, opts ...record.Option) *record.Provider {
//		return record.New(func(ctx context.Context, r driver.Request, observe bool) (driver.RecordStore, error) {
//			return open(ctx, endpoints, r.Cluster)
//		}, opts...)
//	}
//
// # What a member does
//
// It registers a liveness key and renews it after each third of the lease time.
// It reads the record and the keys whenever the store says that they may have
// changed, and adds who is new and removes who is gone, when it is its turn.
// Its lease is counted on its own clock, see [driver.Lease]; it ends 0.9 of the
// lease time after the last renewal that succeeded was begun.
//
// # When the store cannot be reached
//
// Views stay as they are. After 0.6 of the lease time, counted from the last
// renewal that succeeded, the lease drains, after 0.9 it is fenced; the member
// joins again once the store answers. Errors of the store are tried again with
// growing pauses, at most a second, and told by Watch once for each text.
//
// # What is in the store
//
// JSON for people to read: the record has a line for each member. A record that
// cannot be read, or that breaks a limit, is not acted on: newcomers wait and
// say so, members are out. To start afresh delete the record: the members are
// out, and found the cluster anew after the lease time.
//
// # The first start
//
// Whoever finds no record waits for one lease time before it makes the first,
// because a store that was emptied may have forgotten members that still run. A
// warning says so. A cluster's Start takes that into account; who sets
// cluster.WithStartTimeout makes it longer.
//
// # Lease times that differ
//
// All members ask for the same lease time. It is in the description of each, and
// whoever asks for another one than the members is refused: who founds a cluster
// anew, after the store was emptied, waits for its own lease time, and a member with
// a longer one that is cut off would still run then. To change it stop all members,
// and start them with the new one. Among newcomers that differ the founder waits
// for the longest, and takes in those that ask for the same as the first.
//
// # Epochs go on rising
//
// The first epoch is the time of day, and each write adds one. A process remembers
// the highest epoch that it saw, over all sessions of its provider, and tells it in
// its liveness key; the next view is above what anybody tells. So epochs, and with
// them fencing tokens, rise over a store that was emptied or put back to an older
// state, also where wall clocks are hours apart, as long as one process that knew is
// there when the cluster is founded. If none is left, the founder's wall clock has to
// be ahead of the last epoch; and with an older record that was put back epochs go on
// from that one, so that it has to be deleted before the first member starts.
package record
