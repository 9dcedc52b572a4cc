package actor

import "sync/atomic"

// generation is how often a cell's instance was replaced, and whether somebody has ordered that
// the present one be.
//
// The order is known at once, while the cell comes to it later: of children that fail together,
// and are restarted together for the first one's failure, the others' is answered by then.
type generation struct{ v atomic.Uint32 } // twice the number, and one more once it is ordered

const ordered = 1

// now is the number.
func (g *generation) now() uint32 { return g.v.Load() / 2 }

// order notes that an instance is to be replaced, if it is the present one.
func (g *generation) order(number uint32) { g.v.CompareAndSwap(2*number, 2*number|ordered) }

// takeBack is for the cell, when an order came that it does not carry out.
func (g *generation) takeBack(number uint32) { g.v.CompareAndSwap(2*number|ordered, 2*number) }

// next is for the cell, when it replaces the instance.
func (g *generation) next() { g.v.Store(2 * (g.now() + 1)) }

// past reports whether an instance has been replaced, or is about to be.
func (g *generation) past(number uint32) bool { return g.v.Load() != 2*number }
