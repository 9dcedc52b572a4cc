package main

import (
	"testing"

	"github.com/granary-go/granary/bench/pair/pairtest"
)

func TestMain(m *testing.M) { pairtest.Main(m, main) }

func TestCases(t *testing.T) {
	pairtest.Cases(t, "", newPeer)
}
