package automanaged

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/internal/view"
)

// Watch implements [driver.Session].
func (m *member) Watch(ctx context.Context, after uint64) (driver.View, error) {
	for {
		shown, changed := m.board.read()
		switch {
		case shown.over != nil:
			return driver.View{}, shown.over
		case shown.view.Epoch > after:
			return shown.view.Driver(), nil
		}
		if held := m.board.takeHeld(); held != "" {
			return driver.View{}, fmt.Errorf("automanaged: not taken into the view: %s", held)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return driver.View{}, m.waited(ctx.Err())
		}
	}
}

// waited adds to an error what it was that this process waited for.
func (m *member) waited(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if why := m.machine.Waiting(); why != "" {
		return fmt.Errorf("automanaged: in no view yet: %s: %w", why, err)
	}
	return err
}

// Lease implements [driver.Session].
func (m *member) Lease() driver.Lease { return nil }

// Refresh implements [driver.Session]: the coordinator is pinged at once.
func (m *member) Refresh(epoch uint64) { m.step(view.Refresh{Epoch: epoch}) }

// Drain implements [driver.Session]. It waits until the view shows this member
// as leaving. A member that is in no view has nothing to wait for.
func (m *member) Drain(ctx context.Context) error {
	m.step(view.Drain{})
	return m.await(ctx, func(p posted) bool {
		mine, in := p.view.Find(m.self)
		return !in || mine.Member.State == driver.Leaving
	})
}

// Leave implements [driver.Session]. It waits until the coordinator has made a
// view without this member; a coordinator tells it to everybody first.
func (m *member) Leave(ctx context.Context) error {
	m.step(view.Leave{})
	return m.await(ctx, func(p posted) bool { return p.left })
}

// await waits until what is shown fulfils a condition.
func (m *member) await(ctx context.Context, done func(posted) bool) error {
	for {
		shown, changed := m.board.read()
		switch {
		case errors.Is(shown.over, driver.ErrClosed):
			return shown.over
		case done(shown):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// parting is how long Close lets those who watch, and those who are being told
// of a removal, finish.
const parting = 200 * time.Millisecond

// Close implements [driver.Session].
func (m *member) Close() error {
	m.closer.Do(m.close)
	return nil
}

func (m *member) close() {
	shown, _ := m.board.read()
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.board.post(func(p *posted) { p.over = driver.ErrClosed })

	late := time.NewTimer(parting)
	defer late.Stop()
	told := make(chan struct{})
	m.wg.Go(func() {
		defer close(told)
		m.pings.Wait()
	})
	stop := time.AfterFunc(parting, m.server.Stop)
	defer stop.Stop()
	m.server.GracefulStop()
	if errors.Is(shown.over, driver.ErrRemoved) {
		// The machine passes on the view that removed it.
		select {
		case <-told:
		case <-late.C:
		}
	}
	m.cancel()
	m.links.close()
	m.wg.Wait()
	m.release(m.met(shown.over), m.machine.Former())
}

// met gives the ping addresses of the view that removed this member, if one
// did.
func (m *member) met(over error) (addresses []string) {
	if !errors.Is(over, driver.ErrRemoved) {
		return nil
	}
	higher, _ := m.machine.View()
	for _, e := range higher.Entries {
		addresses = append(addresses, e.Ping)
	}
	return addresses
}
