package main

import (
	"fmt"
	"testing"

	"github.com/granary-go/granary/internal/exampletest"
	"github.com/granary-go/granary/internal/servertest"
)

// The program does as the README says.
func TestTwoClusters(t *testing.T) {
	program := exampletest.Start(t, exampletest.Build(t, "."), fmt.Sprintf("-warehouse-port=%d", servertest.Port(t)))
	exampletest.Compare(t, exampletest.Shown(t, 0), program.Wait())
}
