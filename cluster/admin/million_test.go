package admin_test

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// grains is how many grains TestManyGrains activates: go test -run ManyGrains -args -admin.grains=1000000.
var grains = flag.Int("admin.grains", 20_000, "grains of TestManyGrains")

// A page costs what a page holds, and one look at all grains; it does not grow with them.
func TestManyGrains(t *testing.T) {
	w := newWorld(t)
	c := w.members(1)[0]
	var wg sync.WaitGroup
	const workers = 16
	for worker := range workers {
		wg.Go(func() {
			for i := worker; i < *grains; i += workers {
				if _, err := c.Call(fmt.Sprintf("grain-%08d", i), echoKind, wrapperspb.String("")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	client := w.dial(c)
	began := time.Now()
	first, err := client.Grains(t.Context(), &pb.GrainsRequest{})
	if err != nil || len(first.Grains) != 100 || first.Active != int64(*grains) || proto.Size(first) > 20_000 {
		t.Fatalf("%d of %d, %v", len(first.GetGrains()), first.GetActive(), err)
	}
	t.Logf("the first page of %d grains took %v", *grains, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if _, err := client.Members(t.Context(), &pb.MembersRequest{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("members took %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	seen, pages := 0, 0
	for after := ""; pages == 0 || after != ""; pages++ {
		r, err := client.Grains(t.Context(), &pb.GrainsRequest{After: after, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		if size := proto.Size(r); size > 1100<<10 {
			t.Fatalf("a page of %d bytes", size)
		}
		for _, g := range r.Grains {
			if want := fmt.Sprintf("grain-%08d", seen); g.Identity != want {
				t.Fatalf("%s, want %s", g.Identity, want)
			}
			seen++
		}
		after = r.Next
	}
	if seen != *grains {
		t.Errorf("%d grains on %d pages", seen, pages)
	}
	t.Logf("%d pages took %v", pages, time.Since(began).Round(time.Millisecond))
}
