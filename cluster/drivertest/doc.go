// Package drivertest holds the tests that every implementation of the
// interfaces in package driver passes. Run them in a test of yours against the
// real service:
//
//	func TestFencedStore(t *testing.T) {
//		drivertest.FencedStores(t, func(t *testing.T) driver.FencedStore { return mystore.New(connect(t)) })
//	}
//
// # Providers
//
// [Providers] takes a provider through joins, crashes, outages of its backend, broken
// connections and clocks that differ. It needs a way to start the real backend, and
// makes the providers reach it by way of proxies that it breaks:
//
//	func TestProviders(t *testing.T) {
//		drivertest.Providers(t, drivertest.ProviderService{
//			TTL:      time.Second, // the shortest that the backend grants
//			Backends: 4,           // may run at once
//			Parallel: 16,          // cases that share one of them
//			Start: func(t testing.TB) drivertest.Backend {
//				s := mystoretest.Start(t)
//				return drivertest.Backend{
//					Address: s.Address,
//					Stop:    func(testing.TB) { s.Kill() },
//					Start:   func(t testing.TB) { s.Restart(t) },
//					Empty:   func(t testing.TB) { s.DeleteAll(t) },
//				}
//			},
//			New: func(s drivertest.Setup) driver.Provider {
//				return mystore.New(s.Address, record.WithTTL(s.TTL), record.WithClock(s.Clock), record.WithWallClock(s.Wall))
//			},
//		})
//	}
//
// What a backend cannot do is said in Omit of [ProviderService], with the reason;
// those cases are then skipped with it, and fail otherwise. Cases in which no lease
// is to end ask for at least 15 s, so that a busy machine passes them. On failure a
// case tells what each process saw, and when. A backend within the process is
// tested in a testing/synctest bubble, by [CheckProvider].
package drivertest
