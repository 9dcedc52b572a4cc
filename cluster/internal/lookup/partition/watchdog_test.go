package partition

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/granary-go/granary/actor"
	"github.com/granary-go/granary/cluster/driver"
	"github.com/granary-go/granary/cluster/internal/lookup"
)

// broken is an activator that fails its host.
type broken struct{}

func (broken) Activate(driver.Identity, driver.Fence, actor.MessageHeader) *actor.PID {
	panic("no room on the stage")
}

// A lookup tells once that one of its actors has ended, and does not take
// Close for it.
func TestEndOfAnActorIsTold(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, l *Lookup)
		want string // "" for nothing told
	}{
		{"host panics", func(t *testing.T, l *Lookup) {
			_, err := l.Resolve(short(t), alice, "", driver.Fence{})
			if err == nil {
				t.Error("resolved without a host")
			}
		}, NameOf(HostName, "a") + ": no room on the stage"},
		{"owner stopped", func(_ *testing.T, l *Lookup) { l.cfg.System.Root.Stop(l.owner) }, NameOf(OwnerName, "a")},
		{"both stopped", func(_ *testing.T, l *Lookup) {
			l.cfg.System.Root.Stop(l.owner)
			synctest.Wait()
			l.cfg.System.Root.Stop(l.host)
		}, NameOf(OwnerName, "a")},
		{"closed", func(*testing.T, *Lookup) {}, ""},
		{"stopped while it closes", func(_ *testing.T, l *Lookup) {
			l.cancel() // as Close begins
			l.cfg.System.Root.Stop(l.host)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				system := actor.NewActorSystem(actor.WithLogger(slog.New(slog.DiscardHandler)))
				defer system.Shutdown()
				told := make(chan error, 2)
				l, err := New(Config{Config: lookup.Config{
					System: system, Self: "a", Activator: broken{}, Logger: system.Logger(),
					Failed: func(err error) { told <- err },
				}})
				if err != nil {
					t.Fatal(err)
				}
				l.SetView(driver.View{Epoch: 5, Members: []driver.Member{
					{ID: "a", Address: system.Address(), Kinds: []driver.Kind{{Name: "k"}}},
				}})
				c.end(t, l)
				synctest.Wait()
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
				close(told)
				var errs []error
				for err := range told {
					errs = append(errs, err)
				}
				if c.want == "" && len(errs) == 0 {
					return
				}
				if c.want == "" || len(errs) != 1 || !errors.Is(errs[0], lookup.ErrFailed) || !strings.HasSuffix(errs[0].Error(), c.want) {
					t.Errorf("told %v; want once %q", errs, c.want)
				}
			})
		})
	}
}
