package placement

// faults switches rules of the protocol off, one each, so that tests can show
// that the rule is needed and that its absence is noticed. Nothing outside the
// tests of this package sets one.
type faults struct {
	noPromise         bool // rule 2: a host promises nothing and refuses no old term
	equalTermTwice    bool // rule 2: an equal term is promised to two owners
	grantAfterTimeout bool // rule 5: a grant that is not answered is given up
	omitStopping      bool // rule 2: a report leaves out what is stopping
	noDedupe          bool // rule 3: a Spawn that was answered may be accepted again
	refuseResent      bool // rule 3: a resent Spawn of a live activation is refused
	absentWithoutMark bool // rule 9: absent is said without raising the mark
	openEarly         bool // rule 4: a slot opens with the first promise
	keepOverSkipped   bool // rule 1: a term is kept over a view that was not seen
	deactivateEarly   bool // rule 8: Deactivated is sent when stopping begins
	ackWhileAcquiring bool // rule 8: an acquiring owner acknowledges Deactivated
	dropOnSuspicion   bool // rule 9: a caller's suspicion ends the grant
	lastReportWins    bool // rule 7: the last report wins, not the newest
	mixReports        bool // parts of two snapshots are put together
}
