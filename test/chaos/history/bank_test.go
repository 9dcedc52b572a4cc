package history

import (
	"strings"
	"testing"
)

// account makes an account that was opened with 100; entries are a transfer's id and its amount, and are in the balance.
func account(identity string, entries ...Entry) *Account {
	a := &Account{Kind: "K", Identity: identity, Opening: 100, Balance: 100, Entries: entries}
	for _, e := range entries {
		a.Balance += e.Amount
	}
	return a
}

func TestBank(t *testing.T) {
	wrong := account("a", Entry{"1", -5})
	wrong.Balance += 2
	for _, c := range []struct {
		name     string
		text     string // client, from-to, ok, ? or !, id
		accounts []*Account
		rules    string
	}{
		{"done", "c 1-2 1", []*Account{account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, ""},
		{"unknown and done", "c 1-? 1", []*Account{account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, ""},
		{"unknown and not done", "c 1-? 1", []*Account{account("a"), account("b")}, ""},
		{"refused", "c 1-! 1", []*Account{account("a"), account("b")}, ""},
		{"tried again", "c 1-? 1\n c 3-4 1", []*Account{account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, ""},
		{"refused, then done", "c 1-! 1\n c 3-4 1", []*Account{account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, ""},
		{"acknowledged and lost", "c 1-2 1", []*Account{account("a"), account("b")}, "transfer"},
		{"tried again and lost", "c 1-? 1\n c 3-4 1", []*Account{account("a"), account("b")}, "transfer"},
		{"refused and done", "c 1-! 1", []*Account{account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, "transfer"},
		{"done twice", "c 1-? 1", []*Account{account("a", Entry{"1", -5}, Entry{"1", -5}), account("b", Entry{"1", 5}, Entry{"1", 5})}, "transfer"},
		{"by half", "c 1-? 1", []*Account{account("a", Entry{"1", -5}), account("b")}, "sum, transfer"},
		{"another amount", "c 1-2 1", []*Account{account("a", Entry{"1", -4}), account("b", Entry{"1", 5})}, "entry, sum, transfer"},
		{"nobody's", "c 1-! 1", []*Account{account("a", Entry{"2", -5}), account("b", Entry{"2", 5})}, "entry, entry"},
		{"balance", "c 1-2 1", []*Account{wrong, account("b", Entry{"1", 5})}, "balance, sum"},
		{"no accounts", "c 1-2 1", nil, "no accounts"},
		{"no id", "c 1-2", []*Account{account("a"), account("b")}, "malformed operation"},
		{"an older record", "c 1-2 1", []*Account{account("a"), account("a", Entry{"1", -5}), account("b", Entry{"1", 5})}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lines []string
			for line := range strings.Lines(c.text) {
				f := strings.Fields(line)
				lines = append(lines, strings.Join(append(f[:2:2], append([]string{DoTransfer}, f[2:]...)...), " "))
			}
			operations := script(t, Bank, strings.Join(lines, "\n"))
			for _, op := range operations {
				op.Call, op.Argument, op.Peer = op.Argument, "5", "b"
			}
			h := with(Lease, operations)
			h.Accounts = c.accounts
			r := CheckBank(h, Options{})
			var rules []string
			for _, f := range r.Findings {
				rules = append(rules, f.Rule)
				if f.Level != Failure {
					t.Errorf("%s is %v", f.Rule, f.Level)
				}
			}
			if got := strings.Join(rules, ", "); got != c.rules {
				t.Errorf("found %q, want %q: %+v", got, c.rules, r.Findings)
			}
		})
	}
}
