// Package drivertest holds the tests that every implementation of the
// interfaces in package driver passes. Run them in a test of yours against the
// real service:
//
//	func TestFencedStore(t *testing.T) {
//		drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore { return mystore.New(connect(t)) })
//	}
package drivertest
