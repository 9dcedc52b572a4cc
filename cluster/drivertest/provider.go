package drivertest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// ProviderService is a kind of provider that is tested, with the coordination
// service that it needs.
type ProviderService struct {
	// Start starts a backend for a test, which ends with that test.
	Start func(t testing.TB) Backend
	// New gives a provider for one more process, made as a [Setup] says.
	New func(Setup) driver.Provider
	// TTL is the shortest lease time that can be asked for: how long it may
	// take until a member that crashed is removed, and a cluster is founded.
	// Defaults to ten seconds.
	TTL time.Duration
	// Late is how long after the end of a lease its member may still be in the
	// view. Defaults to the lease time and ten seconds.
	Late time.Duration
	// Backends is how many of them may run at the same time. With 0 or 1 all
	// cases run one after another. With 2 those that leave the backend alone
	// share one and run at once, and beside them those that stop theirs, one
	// after another. With more these run at once, too.
	Backends int
	// Parallel is how many cases that share a backend run at once. Most of
	// their time they wait for leases to end, so that more than there are
	// processors make sense: 8, or 16 where a backend is light. Defaults to
	// what go test -parallel says, which is the number of processors.
	Parallel int
	// Omit are the names of cases that the provider cannot pass, each with the
	// reason. They are reported as skipped, with it.
	Omit map[string]string
}

// Backend is a coordination service of a test. Its functions are called by one
// goroutine at a time, with the test of the case; what fails in them fails it.
// Where one is nil, the cases that need it are to be in Omit.
type Backend struct {
	// Address is where the service is reached, as host:port. It stays the same.
	Address string
	// Stop ends the service as a crash does. It has what it acknowledged when
	// it starts again.
	Stop func(t testing.TB)
	// Start starts it after Stop, and returns when it serves.
	Start func(t testing.TB)
	// Empty makes it forget all that it has, of all clusters, and returns when
	// it serves.
	Empty func(t testing.TB)
	// Link gives the way of a process to the service, if that is not reached
	// by TCP. Defaults to a [Proxy] before Address.
	Link func(t testing.TB) Link
}

// Setup is how a provider is to be made.
type Setup struct {
	// Address is where the provider finds its backend, as host:port: the
	// backend's own, or that of a [Link] before it.
	Address string
	// TTL is the lease time to ask for.
	TTL time.Duration
	// Clock replaces the clock that leases are counted on, see
	// record.WithClock; nil is the usual one.
	Clock func() time.Duration
	// Wall replaces the wall clock, see record.WithWallClock; nil is the usual
	// one.
	Wall func() time.Time
}

// Names of the cases that need more of a backend than that it is there, for
// [ProviderService] Omit.
const (
	CaseRestart    = "the backend restarts within the lease time"
	CaseLongOutage = "the backend stops for longer than the lease time"
	CaseEmptied    = "the backend is emptied"
	CaseClocks     = "clocks are far off"
)

// Providers tests, in subtests, that a [driver.Provider] with leases gives all
// members the same views, in one order, that leases end before a member is
// removed, and that it gets over what happens to backends and networks. Each
// case has a cluster of its own and a bounded time, and on failure tells what
// each process saw.
func Providers(t *testing.T, s ProviderService) {
	s = s.complete(t)
	groups := []string{"one backend", "a backend each"}
	s.side(len(groups), s.Backends > 1, func(i int) {
		t.Run(groups[i], func(t *testing.T) {
			if s.Backends > 1 && s.Parallel == 0 {
				t.Parallel()
			}
			if i == 0 {
				backend := s.Start(t)
				s.group(t, sharingCases, s.Backends > 1, s.Parallel, func(testing.TB) Backend { return backend })
			} else {
				s.group(t, owningCases, s.Backends > 2, s.Backends-1, s.Start)
			}
		})
	})
}

// group runs cases, at once or one after another.
func (s ProviderService) group(t *testing.T, cases []providerCase, atOnce bool, most int, backend func(testing.TB) Backend) {
	slots := make(chan struct{}, max(1, most))
	s.side(len(cases), atOnce, func(i int) {
		if s.Parallel > 0 {
			slots <- struct{}{}
			defer func() { <-slots }()
		}
		t.Run(cases[i].name, func(t *testing.T) {
			if atOnce && s.Parallel == 0 {
				t.Parallel()
				if most > 0 {
					slots <- struct{}{}
					defer func() { <-slots }()
				}
			}
			s.report(t, cases[i], backend)
		})
	})
}

// side calls f for each of n: side by side if Parallel is set and they may run
// at once. Subtests begun like this do not count for go test -parallel.
func (s ProviderService) side(n int, atOnce bool, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		if atOnce && s.Parallel > 0 {
			wg.Go(func() { f(i) })
		} else {
			f(i)
		}
	}
	wg.Wait()
}

func (s ProviderService) report(t *testing.T, c providerCase, backend func(testing.TB) Backend) {
	if why := s.Omit[c.name]; why != "" {
		t.Skip("omitted:", why)
	}
	for _, err := range s.check(t, c, backend(t)) {
		t.Error(err)
	}
}

// CheckProvider is [Providers] without subtests: it runs the cases one after
// another and returns what it found, each with the name of its case, and nil if
// the provider keeps the contract. It may be called in a testing/synctest
// bubble if the backend is in it. It starts a backend for those that share one,
// and one for each other case; they end with the test. If cases are named it
// runs those alone.
func CheckProvider(t testing.TB, s ProviderService, names ...string) []error {
	s = s.complete(t)
	var shared Backend
	var errs []error
	for i, c := range slices.Concat(sharingCases, owningCases) {
		if i == 0 || i >= len(sharingCases) {
			shared = s.Start(t)
		}
		if s.Omit[c.name] != "" || len(names) > 0 && !slices.Contains(names, c.name) {
			continue
		}
		for _, err := range s.check(t, c, shared) {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errs
}

// complete sets what was left out. Nonsense ends the test.
func (s ProviderService) complete(t testing.TB) ProviderService {
	if s.Start == nil || s.New == nil {
		t.Fatal("drivertest: ProviderService needs Start and New")
	}
	s.TTL = cmp.Or(s.TTL, 10*time.Second)
	s.Late = cmp.Or(s.Late, s.TTL+10*time.Second)
	for name, why := range s.Omit {
		known := slices.ContainsFunc(slices.Concat(sharingCases, owningCases), func(c providerCase) bool { return c.name == name })
		if !known || why == "" {
			t.Fatalf("drivertest: Omit has %q: %q; want the name of a case and the reason", name, why)
		}
	}
	return s
}
