package drivertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/granary-go/granary/cluster/driver"
)

// EntryService is a database as the kit for entry stores needs it.
type EntryService struct {
	// Open connects a process to what the database keeps for a cluster. The kit
	// makes up new clusters, and closes what it opens.
	Open func(ctx context.Context, cluster string) (driver.EntryStore, error)
	// Lose makes the database lose what it has of a cluster, or all that it has,
	// for each way in which it can: emptied, restarted, failed over. The cases that
	// use them run last, one after the other. May be empty.
	Lose map[string]func()
}

// EntryStores tests that an implementation of [driver.EntryStore] keeps the
// contract, in subtests. It needs about 3,000 operations.
func EntryStores(t *testing.T, service EntryService) {
	for _, c := range entryCases(service) {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, err := range runEntryCase(ctx, service, c) {
				t.Error(err)
			}
		})
	}
}

// CheckEntryStore is [EntryStores] without a test: it returns what it found, each
// with the name of its case, and nil if the store keeps the contract.
func CheckEntryStore(ctx context.Context, service EntryService) []error {
	var errs []error
	for _, c := range entryCases(service) {
		for _, err := range runEntryCase(ctx, service, c) {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errs
}

func runEntryCase(ctx context.Context, service EntryService, c entryCase) []error {
	tr := &entryTrial{ctx: ctx, service: service, cluster: "kit-" + rand.Text()}
	defer tr.close()
	if tr.a, tr.b = tr.open(tr.cluster), tr.open(tr.cluster); tr.a != nil && tr.b != nil {
		c.run(tr)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.errs
}

type entryCase struct {
	name string
	run  func(*entryTrial)
}

// entryTrial is one run of one case: two processes of one cluster.
type entryTrial struct {
	ctx     context.Context
	service EntryService
	cluster string
	a, b    driver.EntryStore
	era     driver.Era
	opened  []driver.EntryStore

	mu   sync.Mutex // guards errs
	errs []error
}

func (tr *entryTrial) errorf(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.errs = append(tr.errs, fmt.Errorf(format, args...))
}

func (tr *entryTrial) open(cluster string) driver.EntryStore {
	s, err := tr.service.Open(tr.ctx, cluster)
	if err != nil {
		tr.errorf("Open: %w", err)
		return nil
	}
	tr.opened = append(tr.opened, s)
	return s
}

func (tr *entryTrial) close() {
	for _, s := range tr.opened {
		if err := s.Close(); err != nil {
			tr.errorf("Close: %w", err)
		}
	}
}

// begin begins an era that is open.
func (tr *entryTrial) begin(number uint64, founder string) {
	next := driver.Era{EraID: driver.EraID{Number: number, Founder: founder}, Incarnation: "kit", Open: true}
	if err := tr.a.WriteEra(tr.ctx, tr.era, next); err != nil {
		tr.errorf("WriteEra of %v after %v: %w", next.EraID, tr.era.EraID, err)
	}
	tr.era = next
}

// entry makes an entry that can be claimed.
func (tr *entryTrial) entry(name string, m driver.MemberID) driver.Entry {
	return driver.Entry{
		Identity: driver.Identity{Kind: "Counter", Name: name}, Member: m, Address: "10.0.0.1:4000", Epoch: 1 << 63, Era: tr.era.EraID,
	}
}

// claims expects that a claim succeeds.
func (tr *entryTrial) claims(s driver.EntryStore, e driver.Entry, over driver.Fence) driver.Entry {
	got, err := s.Claim(tr.ctx, e, over)
	if err != nil {
		tr.errorf("Claim of %.40q over %v: %w; want success", e.Identity, over, err)
		return got
	}
	want := e
	want.Token = got.Token
	if got != want || got.Token.Term != e.Era.Number || got.Token.Seq == 0 {
		tr.errorf("Claim gives %+v; want %+v with a token of era %d", got, e, e.Era.Number)
	}
	return got
}

// keeps expects that a claim fails because of an entry.
func (tr *entryTrial) keeps(s driver.EntryStore, e driver.Entry, over driver.Fence, there driver.Entry) {
	got, err := s.Claim(tr.ctx, e, over)
	if !errors.Is(err, driver.ErrClaimed) || got != there {
		tr.errorf("Claim over %v gives %+v, %v; want driver.ErrClaimed and %+v", over, got, err, there)
	}
}

// reads expects an entry; the zero value is none.
func (tr *entryTrial) reads(s driver.EntryStore, id driver.Identity, want driver.Entry) {
	got, err := s.Read(tr.ctx, id)
	if err != nil || got != want {
		tr.errorf("Read of %.40q gives %+v, %v; want %+v", id, got, err, want)
	}
}

func (tr *entryTrial) releases(s driver.EntryStore, id driver.Identity, token driver.Fence) {
	if err := s.Release(tr.ctx, id, token); err != nil {
		tr.errorf("Release of %.40q %v: %w", id, token, err)
	}
}

// refuses expects that an era is refused.
func (tr *entryTrial) refuses(e driver.Entry, why string) {
	if _, err := tr.b.Claim(tr.ctx, e, driver.Fence{}); !errors.Is(err, driver.ErrEra) {
		tr.errorf("Claim %s: %v; want driver.ErrEra", why, err)
	}
	e.Token = driver.Fence{Term: 1, Seq: 1}
	if _, err := tr.b.Restore(tr.ctx, []driver.Entry{e}); !errors.Is(err, driver.ErrEra) {
		tr.errorf("Restore %s: %v; want driver.ErrEra", why, err)
	}
}

// all lists everything, in pages.
func (tr *entryTrial) all(s driver.EntryStore, limit int) map[driver.Identity]driver.Entry {
	found, cursor := make(map[driver.Identity]driver.Entry), ""
	for range 100_000 {
		entries, next, err := s.List(tr.ctx, cursor, limit)
		if err != nil {
			tr.errorf("List from %q: %w", cursor, err)
			return found
		}
		for _, e := range entries {
			found[e.Identity] = e
		}
		if cursor = next; cursor == "" {
			return found
		}
	}
	tr.errorf("List does not come to an end")
	return found
}
