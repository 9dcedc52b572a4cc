package clustertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"

	"github.com/granary-go/granary/cluster/driver"
)

// Registry is the membership of one cluster within a process. Its methods may
// be called from several goroutines.
type Registry struct {
	mu   sync.Mutex // guards the fields below
	view driver.View
	next chan struct{} // closed by the next view
}

// NewRegistry makes a membership without members.
func NewRegistry() *Registry {
	return &Registry{view: driver.View{Incarnation: rand.Text(), Epoch: 1}, next: make(chan struct{})}
}

// Provider gives a provider for one more process.
func (r *Registry) Provider() driver.Provider { return provider{r} }

// View gives the current view.
func (r *Registry) View() driver.View {
	view, _ := r.current()
	return view
}

// Remove publishes a view without a member, and reports whether it was in.
func (r *Registry) Remove(id driver.MemberID) bool {
	return r.change(func(members []driver.Member) []driver.Member {
		return slices.DeleteFunc(members, func(m driver.Member) bool { return m.ID == id })
	})
}

// Publish publishes a new view with the same members.
func (r *Registry) Publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.publish(slices.Clone(r.view.Members))
}

func (r *Registry) current() (driver.View, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view, r.next
}

// change publishes what f makes of a copy of the members, if it differs in
// number or state.
func (r *Registry) change(f func([]driver.Member) []driver.Member) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	members := f(slices.Clone(r.view.Members))
	same := slices.EqualFunc(members, r.view.Members, func(a, b driver.Member) bool {
		return a.ID == b.ID && a.State == b.State
	})
	if !same {
		r.publish(members)
	}
	return !same
}

func (r *Registry) publish(members []driver.Member) {
	r.view = driver.View{
		Incarnation: r.view.Incarnation, Epoch: r.view.Epoch + 1, Previous: r.view.Epoch, Members: members,
	}
	close(r.next)
	r.next = make(chan struct{})
}

type provider struct{ registry *Registry }

// Leases implements driver.Provider.
func (provider) Leases() bool { return false }

// Join implements driver.Provider: the member is in the view at once.
func (p provider) Join(_ context.Context, request driver.Request) (driver.Session, error) {
	var taken error
	p.registry.change(func(members []driver.Member) []driver.Member {
		for _, m := range members {
			if m.Address == request.Member.Address {
				taken = fmt.Errorf("clustertest: %v has the address of %v", request.Member, m)
				return members
			}
		}
		return append(members, request.Member)
	})
	if taken != nil {
		return nil, taken
	}
	return newSession(p.registry, request.Member.ID), nil
}

// Observe implements driver.Provider.
func (p provider) Observe(context.Context, driver.Request) (driver.Session, error) {
	return newSession(p.registry, ""), nil
}

type session struct {
	registry *Registry
	self     driver.MemberID
	closed   chan struct{}
	close    func()
}

func newSession(r *Registry, self driver.MemberID) *session {
	closed := make(chan struct{})
	return &session{registry: r, self: self, closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// Watch implements driver.Session.
func (s *session) Watch(ctx context.Context, after uint64) (driver.View, error) {
	for {
		select {
		case <-s.closed:
			return driver.View{}, driver.ErrClosed
		default:
		}
		view, next := s.registry.current()
		if _, in := view.Member(s.self); !in && s.self != "" {
			return driver.View{}, driver.ErrRemoved
		}
		if view.Epoch > after && len(view.Members) > 0 {
			return view, nil
		}
		select {
		case <-next:
		case <-s.closed:
			return driver.View{}, driver.ErrClosed
		case <-ctx.Done():
			return driver.View{}, ctx.Err()
		}
	}
}

// Lease implements driver.Session.
func (s *session) Lease() driver.Lease { return nil }

// Refresh implements driver.Session: there is nothing to hurry.
func (s *session) Refresh(uint64) {}

// Drain implements driver.Session.
func (s *session) Drain(context.Context) error {
	s.registry.change(func(members []driver.Member) []driver.Member {
		for i := range members {
			if members[i].ID == s.self {
				members[i].State = driver.Leaving
			}
		}
		return members
	})
	return nil
}

// Leave implements driver.Session.
func (s *session) Leave(context.Context) error {
	s.registry.Remove(s.self)
	return nil
}

// Close implements driver.Session.
func (s *session) Close() error {
	s.close()
	return nil
}
