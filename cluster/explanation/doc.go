// Package explanation is the answer to where a grain is and why: what
// cluster.Cluster.Explain returns, `granary explain` prints, and the dashboard
// shows as JSON. It is data, with a sentence and a text for people.
//
//	said, err := c.Explain(ctx, "alice", "Account")
//	if err != nil {
//		return err
//	}
//	fmt.Println(said.Summary()) // Account/alice is active on 10.0.0.7:8090 (…)
package explanation
