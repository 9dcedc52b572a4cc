package admin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/cluster/admin"
	"github.com/granary-go/granary/cluster/explanation"
	pb "github.com/granary-go/granary/wire/adminpb"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%04d", prefix, i)
	}
	return out
}

func TestMembers(t *testing.T) {
	w := newWorld(t)
	all := w.members(3)
	say(t, all[0], names("a", 30)...)
	r, err := w.dial(all[1]).Members(t.Context(), &pb.MembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Cluster != "test" || r.AnsweredBy.Id != string(all[1].MemberID()) || len(r.Members) != 3 || len(r.Failures) != 0 {
		t.Fatalf("%v", r)
	}
	var active int64
	var slots, open uint32
	for i, m := range r.Members {
		s := m.Status
		if m.Id != string(all[i].MemberID()) || m.State != pb.State_STATE_ACTIVE || s == nil || !s.Ready || s.Member.Id != m.Id ||
			s.Lease != pb.Lease_LEASE_VALID || s.Goroutines == 0 || s.HeapBytes == 0 || s.Epoch != r.Epoch || len(s.Allowed) != 0 {
			t.Errorf("member %d: %v", i, m)
		}
		active += s.Active
		slots += m.Slots
		open += s.Open
	}
	if active != 30 || slots != 4096 || open != 4096 {
		t.Errorf("%d grains, %d slots, %d of them open", active, slots, open)
	}
	brief, err := w.dial(all[1]).Members(t.Context(), &pb.MembersRequest{Brief: true})
	if err != nil || len(brief.Members) != 3 || brief.Members[0].Status != nil {
		t.Errorf("%v, %v", brief, err)
	}
}

// A member that does not serve the service, and one that does not answer, are named, and
// the others answer in time.
func TestMembersThatDoNotAnswer(t *testing.T) {
	w := newWorld(t)
	all := w.members(2, admin.WithTimeout(500*time.Millisecond))
	mute := w.member()
	w.ghost("ghost")
	w.until(func() bool { return len(all[0].Members()) == 4 })
	began := time.Now()
	r, err := w.dial(all[0]).Members(t.Context(), &pb.MembersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if r.Members[0].Status == nil || r.Members[1].Status == nil || r.Members[2].Status != nil || r.Members[3].Status != nil || len(r.Failures) != 2 {
		t.Fatalf("%v", r)
	}
	first, second := r.Failures[0], r.Failures[1]
	if first.Member.Id != string(mute.MemberID()) || first.Reason != pb.Reason_REASON_NOT_SERVED || !contains(first.Why, "admin.Serve()") {
		t.Errorf("of the one that serves nothing: %v", first)
	}
	if second.Member.Id != "ghost" || second.Reason != pb.Reason_REASON_SILENT {
		t.Errorf("of the one that is not there: %v", second)
	}
	kinds, err := w.dial(all[0]).Kinds(t.Context(), &pb.KindsRequest{})
	if err != nil || len(kinds.Failures) != 2 || len(kinds.Kinds) != 1 || len(kinds.Kinds[0].Members) != 3 {
		t.Errorf("%v, %v", kinds, err)
	}
	slots, err := w.dial(all[0]).Slots(t.Context(), &pb.SlotsRequest{})
	if err != nil || len(slots.Failures) != 2 || len(slots.Owners) != 4 || slots.Owners[3].Answered || slots.Owners[3].Slots == 0 {
		t.Errorf("%v", err)
	}
}

func TestKindsAndSlots(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	say(t, all[0], names("a", 20)...)
	say(t, all[1], names("a", 20)...)
	r, err := w.dial(all[1]).Kinds(t.Context(), &pb.KindsRequest{})
	if err != nil || len(r.Kinds) != 1 {
		t.Fatal(r, err)
	}
	k := r.Kinds[0]
	if k.Kind.Name != echoKind || k.Kind.Guarantee != pb.Guarantee_GUARANTEE_BEST_EFFORT || k.Active != 20 || k.Activated != 20 || k.Handled != 40 || len(k.Members) != 2 {
		t.Errorf("%v", k)
	}
	slots, err := w.dial(all[0]).Slots(t.Context(), &pb.SlotsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var counted [3]uint32
	for _, owner := range slots.OwnerOfSlot {
		counted[owner]++
	}
	if len(slots.OwnerOfSlot) != 4096 || counted[0] != 0 || counted[1] != slots.Owners[0].Slots || counted[2] != slots.Owners[1].Slots ||
		slots.Owners[0].Entries+slots.Owners[1].Entries != 20 {
		t.Errorf("%v %v", counted, slots.Owners)
	}
}

// Pages hold every grain once, in order, whoever hosts it, and are bounded.
func TestPages(t *testing.T) {
	w := newWorld(t)
	all := w.members(3)
	want := names("a", 250)
	say(t, all[0], want...)
	say(t, all[0], names("b", 10)...)
	client := w.dial(all[2])
	var got []string
	pages := 0
	for after := ""; pages == 0 || after != ""; pages++ {
		r, err := client.Grains(t.Context(), &pb.GrainsRequest{Kind: echoKind, Prefix: "a-", Limit: 60, After: after})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Grains) > 60 || r.Active != 250 || len(r.Failures) > 0 {
			t.Errorf("a page of %d, %d active, %v", len(r.Grains), r.Active, r.Failures)
		}
		for _, g := range r.Grains {
			got = append(got, g.Identity)
			if g.Token == "" || g.Member.GetAddress() == "" || g.Handled != 1 {
				t.Errorf("%v", g)
			}
		}
		after = r.Next
	}
	if !slices.Equal(got, want) || pages != 5 {
		t.Errorf("%d grains on %d pages", len(got), pages)
	}
	here, err := client.Grains(t.Context(), &pb.GrainsRequest{Member: string(all[1].MemberID()), Limit: 10_000})
	if err != nil || here.Next != "" || len(here.Grains) == 0 || len(here.Grains) == 260 || here.Active != int64(len(here.Grains)) {
		t.Errorf("%d of one member, %v", len(here.GetGrains()), err)
	}
	_, err = client.Grains(t.Context(), &pb.GrainsRequest{Member: "nobody"})
	wantCode(t, err, codes.NotFound, `"nobody"`)
	_, err = client.Grains(t.Context(), &pb.GrainsRequest{After: "%%"})
	wantCode(t, err, codes.InvalidArgument, "no cursor")
}

// Identities of a kilobyte fill a page by their bytes.
func TestPagesOfLongNames(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	long := make([]string, 3000)
	for i := range long {
		long[i] = fmt.Sprintf("%04d", i) + strings.Repeat("x", 1020)
	}
	say(t, all[0], long...)
	client := w.dial(all[0])
	seen, after := 0, ""
	for page := 0; page == 0 || after != ""; page++ {
		r, err := client.Grains(t.Context(), &pb.GrainsRequest{Limit: 10_000, After: after})
		if err != nil {
			t.Fatal(err)
		}
		if size := proto.Size(r); size > 1100<<10 {
			t.Fatalf("a page of %d bytes", size)
		}
		for _, g := range r.Grains {
			if g.Identity != long[seen] {
				t.Fatalf("%.4s where %d was due", g.Identity, seen)
			}
			seen++
		}
		after = r.Next
	}
	if seen != len(long) {
		t.Errorf("%d of %d", seen, len(long))
	}
}

// What an identity holds gets through as it is; what it is for a screen or a page, is
// for those to see to who show it.
func TestHostileIdentities(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	hostile := []string{"<script>alert(1)</script>", "a\x1b[31mred", "line\nbreak", "\u202eevil", strings.Repeat("y", 1024), "a/b/c", "nul\x00"}
	say(t, all[0], hostile...)
	r, err := w.dial(all[1]).Grains(t.Context(), &pb.GrainsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range r.Grains {
		got = append(got, g.Identity)
	}
	slices.Sort(hostile)
	if !slices.Equal(got, hostile) {
		t.Errorf("%q", got)
	}
	for _, id := range hostile {
		if l, err := w.dial(all[1]).Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: id}); err != nil || !l.Active {
			t.Errorf("%q: %v, %v", id, l, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("z", 10<<10)} {
		_, err := w.dial(all[1]).Explain(t.Context(), &pb.ExplainRequest{Kind: echoKind, Identity: id})
		wantCode(t, err, codes.InvalidArgument, "invalid identity")
	}
}

func TestBusiest(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	say(t, all[0], names("a", 40)...)
	client := w.dial(all[0])
	if _, err := client.Grains(t.Context(), &pb.GrainsRequest{Busiest: true}); err != nil { // the first survey
		t.Fatal(err)
	}
	w.until(func() bool {
		for range 20 {
			say(t, all[0], "a-0007")
		}
		r, err := client.Grains(t.Context(), &pb.GrainsRequest{Busiest: true, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		return len(r.Grains) > 0 && len(r.Grains) <= 3 && r.Grains[0].Identity == "a-0007" && r.Grains[0].Rate > 1
	})
}

func TestLocateAndExplain(t *testing.T) {
	w := newWorld(t)
	all := w.members(2)
	client := w.dial(all[1])
	r, err := client.Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: "a"})
	if err != nil || r.Active || r.Member != nil || r.Owner.GetId() == "" || !contains(r.Summary, "is not active") {
		t.Errorf("%v, %v", r, err)
	}
	say(t, all[0], "a")
	r, err = client.Locate(t.Context(), &pb.LocateRequest{Kind: echoKind, Identity: "a"})
	if err != nil || !r.Active || r.Member.GetAddress() == "" || r.Token == "" {
		t.Errorf("%v, %v", r, err)
	}
	e, err := client.Explain(t.Context(), &pb.ExplainRequest{Kind: echoKind, Identity: "a"})
	if err != nil {
		t.Fatal(err)
	}
	var said explanation.Explanation
	if err := json.Unmarshal([]byte(e.Json), &said); err != nil || said.Owner == nil || said.Owner.Entry.Token != r.Token || !contains(e.Text, "history") {
		t.Errorf("%v, %v", e, err)
	}
}
