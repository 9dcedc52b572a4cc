package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/granary-go/granary/internal/exampletest"
)

// The program does as the README says.
func TestCart(t *testing.T) {
	program := exampletest.Build(t, ".")
	exampletest.Compare(t, exampletest.Shown(t, 0), exampletest.Start(t, program).Wait())
}

// What was bought is not put into the cart again by another run, whose clicks have the same ids.
func TestCartStays(t *testing.T) {
	program, data := exampletest.Build(t, "."), filepath.Join(t.TempDir(), "carts")
	exampletest.Start(t, program, "-data="+data, "-rest=100ms").Wait()
	again := exampletest.Start(t, program, "-data="+data, "-rest=100ms")
	if got, want := again.Until("click-1"), "2 apples, click-1: nothing"; got != want {
		t.Errorf("the next run says %q; want %q", got, want)
	}
	again.Wait()
	if files, err := os.ReadDir(data); err != nil || len(files) != 1 {
		t.Errorf("the folder has %v, %v; want one file", files, err)
	}
}
