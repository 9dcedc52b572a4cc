// Package history is what a chaos run leaves behind, and the oracles that judge it.
//
// Every process of a run, members, clients and the harness, appends what it does to a file, one JSON line each ([Recorder]).
// A line is one write(2), so that a SIGKILL loses nothing that was written. [Read] puts the files of a run together, and
// [Judge] tells what was wrong:
//
//	r, err := history.Open(path, "c1.1")           // in a client: client c1, its first life
//	call := r.Begin(history.Operation{Client: "c1", Workload: history.Register, Kind: "Cell", Identity: "a", Do: history.DoWrite, Argument: "17"})
//	…                                              // the call itself
//	call.OK("", token)                             // or Refused(err), or Unknown(err)
//
//	h, err := history.Read(paths...)               // in the judge
//	v := history.Judge(h, history.Options{})
//	v.Print(os.Stdout)
//
// # Time
//
// All processes run on one machine, and CLOCK_MONOTONIC is one clock for all of them. A process in a time namespace of its own
// sees it shifted; [Open] takes that back ([Offset]). Moments are durations since the machine started. An operation's Start is
// taken before its call and its End after it, so that the interval is never shorter than what happened.
//
// # Outcomes
//
// An operation is written when it begins and when it ends. One that was answered is [OK]; one that certainly did not run is
// [Refused], and has no part in the linearizability check; of all others nobody knows whether they ran, or will yet: they are
// [Unknown], and open-ended. What was under way when its client was killed is [Unknown], too.
//
// # What is judged
//
//   - [CheckLinearizable]: registers, counters and append lists, each identity by itself, by porcupine;
//   - [CheckTokens]: what has seen a newer fencing token is not followed by an answer with an older one;
//   - [CheckActivations]: no turn of an activation begins after one of its successor has, where the kind's mode promises that;
//   - [CheckBank], [CheckMessages], [CheckAudits], [CheckGauges], [CheckProcesses]: see there.
//
// What a mode does not promise is counted, and is no failure ([Finding.Permitted]).
package history
