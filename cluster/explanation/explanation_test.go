package explanation_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/explanation"
)

var here = explanation.Member{ID: "m", Address: "10.0.0.7:8090"}

// active is where everything is as it should be.
func active() explanation.Explanation {
	return explanation.Explanation{
		Kind: "Account", Identity: "alice", Incarnation: "i", Epoch: 1 << 60, Members: 2, Hosting: 2,
		Owner: &explanation.Owner{Member: here, State: "open", Entry: &explanation.Entry{Phase: "granted", Token: "1.2", Host: here}},
		Hosts: []explanation.Host{{Member: here, Phase: "running", Token: "1.2"}},
		History: []explanation.Transition{
			{At: time.Unix(1, 0).UTC(), By: here, Role: "host", What: "started", Token: "1.2", Why: "asked", Host: &here},
		},
		Cached: &explanation.Cached{Member: here, Token: "1.2"},
	}
}

func TestSummary(t *testing.T) {
	for want, change := range map[string]func(*explanation.Explanation){
		"Account/alice is active on 10.0.0.7:8090 (m)": func(*explanation.Explanation) {},
		"is not active":                      func(e *explanation.Explanation) { e.Owner.Entry = nil },
		"no active member hosts its kind":    func(e *explanation.Explanation) { e.Owner.Entry, e.Hosting = nil, 0 },
		"the host does not have it any more": func(e *explanation.Explanation) { e.Hosts[0].Token = "1.1" },
		"its next activation waits for that": func(e *explanation.Explanation) { e.Hosts[0].Phase = "stopping" },
		"has no owner":                       func(e *explanation.Explanation) { e.Owner = nil },
		"its owner did not answer; it is running on 10.0.0.7:8090 (m)": func(e *explanation.Explanation) {
			e.Owner, e.Silent = nil, []explanation.Silence{{Member: here, Role: "owner"}}
		},
		"which 10.0.0.7:8090 (m) is acquiring (promises missing: 3)": func(e *explanation.Explanation) {
			e.Owner.State, e.Owner.MissingCount = "acquiring", 3
		},
		`"al\x00ice"`: func(e *explanation.Explanation) { e.Identity = "al\x00ice" },
		"as far as the database knows": func(e *explanation.Explanation) {
			e.Store = &explanation.Store{Entry: &explanation.StoreEntry{Member: "m"}, Host: "running"}
		},
		"the database of the identity lookup did not answer": func(e *explanation.Explanation) {
			e.Store = &explanation.Store{Problems: []string{"no answer"}}
		},
	} {
		e := active()
		change(&e)
		if got := e.Summary(); !strings.Contains(got, want) {
			t.Errorf("%q, want %q in it", got, want)
		}
		if first, _, _ := strings.Cut(e.String(), "\n"); first != e.Summary() {
			t.Errorf("the text begins with %q", first)
		}
	}
}

// Numbers that are too large for many readers of JSON are texts there.
func TestJSON(t *testing.T) {
	text, err := json.Marshal(active())
	if err != nil || !strings.Contains(string(text), `"epoch":"1152921504606846976"`) {
		t.Errorf("%s, %v", text, err)
	}
	var again explanation.Explanation
	if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(again, active()) {
		t.Errorf("%+v, %v", again, err)
	}
}
