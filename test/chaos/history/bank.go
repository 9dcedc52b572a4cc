package history

import (
	"cmp"
	"fmt"
)

// CheckBank looks at the accounts as they are when all is over ([Recorder.Account]).
//
//   - The sum of all accounts is what was put in, and each account holds what was put in and its entries.
//   - A transfer ([DoTransfer], with the id of its call) that was acknowledged has exactly one entry in each of its accounts;
//     one that was refused has none; one of which nobody knows has none, or one in each.
//   - No entry is of a transfer that nobody made, or of another amount.
//
// Operations of one id are one transfer that was tried again: if one was acknowledged, so was the transfer.
func CheckBank(h *History, _ Options) Report {
	r := Report{Oracle: "bank"}
	b := bank{history: h, report: &r, transfers: map[string]*transfer{}}
	for _, op := range h.Operations {
		if op.Workload == Bank && op.Do == DoTransfer {
			b.operation(op)
		}
	}
	if len(h.Accounts) == 0 && len(b.transfers) > 0 {
		r.find(Finding{Rule: "no accounts", Text: "there were transfers, and nobody has recorded the accounts afterwards (Recorder.Account)"})
		return r
	}
	b.accounts(h.Accounts)
	for _, call := range sortedKeys(b.transfers) {
		b.judge(call, b.transfers[call])
	}
	return r
}

type bank struct {
	history   *History
	report    *Report
	transfers map[string]*transfer
}

// transfer is what is known of one: by its operations, and by the entries in the accounts.
type transfer struct {
	kind, from, to string
	amount         int64
	outcome        Outcome
	operations     []*Operation

	out, in int // right entries
}

// operation puts an operation to its transfer.
func (b *bank) operation(op *Operation) {
	amount, err := number(op.Argument)
	if err != nil || op.Call == "" || op.Peer == "" || op.Peer == op.Identity || amount <= 0 {
		b.report.find(Finding{
			Rule: "malformed operation", Kind: op.Kind, Identity: op.Identity, At: op.Start, Operations: []*Operation{op},
			Text: "a transfer needs a call's id, another account (peer) and a positive amount",
		})
		return
	}
	t := b.transfers[op.Call]
	if t == nil {
		t = &transfer{kind: op.Kind, from: op.Identity, to: op.Peer, amount: amount, outcome: op.Outcome}
		b.transfers[op.Call] = t
	} else if t.kind != op.Kind || t.from != op.Identity || t.to != op.Peer || t.amount != amount {
		b.find(op.Kind, op.Identity, "malformed operation", []*Operation{t.operations[0], op}, "two transfers have the id "+op.Call)
		return
	}
	t.operations = append(t.operations, op)
	switch {
	case t.outcome == OK || op.Outcome == OK:
		t.outcome = OK
	case op.Outcome == Unknown:
		t.outcome = Unknown
	}
}

func (b *bank) find(kind, identity, rule string, operations []*Operation, text string) {
	f := Finding{Rule: rule, Level: b.history.stateLevel(kind), Kind: kind, Identity: identity, Text: text, Operations: operations}
	if len(operations) > 0 {
		f.At = operations[len(operations)-1].Start
	}
	b.report.find(f)
}

// accounts sums up. The newest record of an account counts.
func (b *bank) accounts(all []*Account) {
	newest := map[grain]*Account{}
	for _, a := range all {
		newest[grain{a.Kind, a.Identity}] = a
	}
	opening, balance := map[string]int64{}, map[string]int64{}
	for _, g := range sortedGrains(newest) {
		a := newest[g]
		opening[a.Kind] += a.Opening
		balance[a.Kind] += a.Balance
		b.report.countf(1, "accounts")
		sum := a.Opening
		for _, e := range a.Entries {
			sum += e.Amount
			b.entry(a, e)
		}
		if sum != a.Balance {
			b.find(a.Kind, a.Identity, "balance", nil, fmt.Sprintf("the account holds %d, and with its %d entries it should be %d", a.Balance, len(a.Entries), sum))
		}
	}
	for _, kind := range sortedKeys(opening) {
		if o, n := opening[kind], balance[kind]; o != n {
			b.find(kind, "", "sum", nil, fmt.Sprintf("all accounts together hold %d, and %d was put in", n, o))
		}
	}
}

// entry puts an entry to its transfer.
func (b *bank) entry(a *Account, e Entry) {
	t := b.transfers[e.Call]
	switch {
	case t != nil && t.kind == a.Kind && t.from == a.Identity && e.Amount == -t.amount:
		t.out++
	case t != nil && t.kind == a.Kind && t.to == a.Identity && e.Amount == t.amount:
		t.in++
	default:
		var operations []*Operation
		if t != nil {
			operations = t.operations
		}
		b.find(a.Kind, a.Identity, "entry", operations, fmt.Sprintf("no transfer has made the entry %s, of %d", e.Call, e.Amount))
	}
}

// judge compares what a transfer has done with what its caller was told.
func (b *bank) judge(call string, t *transfer) {
	b.report.countf(1, "transfers, %s", t.outcome)
	wrong := ""
	switch {
	case t.out > 1 || t.in > 1:
		wrong = "was done more than once"
	case t.out != t.in:
		wrong = "was done by half"
	case t.outcome == OK && t.out == 0:
		wrong = "was acknowledged and not done"
	case t.outcome == Refused && t.out > 0:
		wrong = "was refused, as one that certainly has not run, and was done"
	}
	if wrong != "" {
		b.find(t.kind, t.from, "transfer", t.operations,
			fmt.Sprintf("the transfer %s of %d from %s to %s %s: %d times taken out, %d times put in", call, t.amount, t.from, t.to, wrong, t.out, t.in))
		return
	}
	b.report.countf(int64(cmp.Compare(t.out, 0)), "transfers done")
}
