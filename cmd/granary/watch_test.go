package main

import (
	"testing"

	pb "github.com/granary-go/granary/wire/adminpb"
)

// A view that unites the sides of a split is said to.
func TestTextOfAView(t *testing.T) {
	for want, v := range map[string]*pb.ViewChanged{
		"view 9, members: 2": {Epoch: 9, Count: 2},
		"view 9, members: 2; it unites the sides of a split": {Epoch: 9, Count: 2, Unites: true},
	} {
		if got := eventText(&pb.Event{What: &pb.Event_View{View: v}}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
