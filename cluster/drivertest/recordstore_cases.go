package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/granary-go/granary/cluster/driver"
)

// recordCase is one clause of the contract of a record store, or a few.
type recordCase struct {
	name string
	run  func(*recordTrial)
}

var recordCases = []recordCase{
	{"what is written is read by everybody", writtenIsRead},
	{"a stale write conflicts", staleWriteConflicts},
	{"liveness keys do not touch the record", keysDoNotTouchTheRecord},
	{"of writers that race one wins", oneWriterWins},
	{"wait notices every change", waitNotices},
	{"a liveness key lives as long as it is renewed", renewedKeyLives},
	{"a liveness key ends with its lease", keyEndsWithItsLease},
	{"unregister deletes the liveness key", unregisterDeletes},
	{"close leaves the liveness key", closeLeavesTheKey},
	{"contexts end calls", contextsEndStoreCalls},
	{"large values", largeRecords},
	{"clusters do not meet", clustersDoNotMeet},
}

func writtenIsRead(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	tr.holds(a, "")
	for i := range 50 {
		want := "record " + strconv.Itoa(i)
		tr.write(a, tr.read(a), want)
		tr.holds(b, want)
		tr.holds(a, want)
		a, b = b, a
	}
	tr.holds(tr.open(), "record 49")
}

func staleWriteConflicts(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	absent := tr.read(b)
	tr.write(a, tr.read(a), "first")
	tr.conflicts(b, absent, "against no record after one was made")
	old := tr.read(b)
	tr.write(a, tr.read(a), "second")
	tr.conflicts(b, old, "against a record that was replaced")
	tr.write(a, tr.read(a), "first")
	tr.conflicts(b, old, "against a record that was replaced by another with the same content")
	now := tr.read(b)
	tr.write(b, now, "third")
	tr.conflicts(b, now, "against the record before the own last write")
	tr.holds(a, "third")
}

func keysDoNotTouchTheRecord(tr *recordTrial) {
	a, b, c := tr.open(), tr.open(), tr.open()
	tr.write(a, tr.read(a), "first")
	before := tr.read(a)
	tr.register(b, "b")
	tr.register(c, "c")
	tr.holds(a, "first", "b", "c")
	tr.write(a, before, "second")
	tr.holds(b, "second", "b", "c")
}

// oneWriterWins lets many write against the same record, and then count in it.
func oneWriterWins(tr *recordTrial) {
	const writers, times = 8, 15
	var stores []driver.RecordStore
	for range writers {
		stores = append(stores, tr.open())
	}
	for round := range times {
		tr.race(stores, round)
	}
	tr.write(stores[0], tr.read(stores[0]), "0")
	var wg sync.WaitGroup
	for _, s := range stores {
		wg.Go(func() {
			for range times {
				if err := tr.count(s); err != nil {
					tr.errorf("counting: %w", err)
					return
				}
			}
		})
	}
	wg.Wait()
	tr.holds(tr.open(), strconv.Itoa(writers*times))
}

// race lets all write at once after all have read.
func (tr *recordTrial) race(stores []driver.RecordStore, round int) {
	var since []driver.Record
	for _, s := range stores {
		since = append(since, tr.read(s))
	}
	results := make([]error, len(stores))
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() { results[i] = s.Write(tr.ctx, since[i], fmt.Appendf(nil, "%d of %d", i, round)) })
	}
	wg.Wait()
	winner := -1
	for i, err := range results {
		switch {
		case err == nil && winner >= 0:
			tr.errorf("two writes against one record succeeded")
		case err == nil:
			winner = i
		case !errors.Is(err, driver.ErrConflict):
			tr.errorf("a Write that lost a race: %w, want %w", err, driver.ErrConflict)
		}
	}
	if winner < 0 {
		tr.errorf("of %d writes against one record none succeeded", len(stores))
		return
	}
	tr.holds(tr.open(), fmt.Sprintf("%d of %d", winner, round))
}

// count adds one to the record.
func (tr *recordTrial) count(s driver.RecordStore) error {
	for {
		r, err := s.Read(tr.ctx)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(r.Data))
		if err != nil {
			return err
		}
		err = s.Write(tr.ctx, r, []byte(strconv.Itoa(n+1)))
		if !errors.Is(err, driver.ErrConflict) {
			return err
		}
	}
}

func waitNotices(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	const soon = 10 * time.Second
	tr.wakes(a, "the first record", soon, func() { tr.write(b, tr.read(b), "first") })
	tr.wakes(a, "a new record", soon, func() { tr.write(b, tr.read(b), "second") })
	tr.wakes(a, "its own new record", soon, func() { tr.write(a, tr.read(a), "third") })
	tr.wakes(a, "a new liveness key", soon, func() { tr.register(b, "b") })
	tr.wakes(a, "that a liveness key was deleted", soon, func() {
		if err := b.Unregister(tr.ctx); err != nil {
			tr.errorf("Unregister: %w", err)
		}
	})
	c := tr.open()
	begun := time.Now()
	granted := tr.register(c, "c")
	tr.wakes(a, "that a lease has ended", granted+tr.service.Late, func() { tr.gone(tr.open(), "c", begun, granted) })
}

func renewedKeyLives(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	granted := tr.register(a, "a")
	for begun := time.Now(); time.Since(begun) < 2*granted+tr.service.TTL; {
		tr.pass(granted / 4)
		again, err := a.Renew(tr.ctx)
		if err != nil || again <= 0 {
			tr.errorf("Renew: granted %v, %w", again, orNil(err))
			return
		}
		granted = again
		tr.holds(b, "", "a")
	}
}

func keyEndsWithItsLease(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	tr.register(a, "a")
	begun := time.Now()
	granted, err := a.Renew(tr.ctx)
	if err != nil {
		tr.errorf("Renew: %w", err)
		return
	}
	tr.gone(b, "a", begun, granted)
	tr.lost(a, "after the lease has ended")
	tr.holds(b, "")
	tr.lost(a, "for the second time")
}

func unregisterDeletes(tr *recordTrial) {
	a, b, c := tr.open(), tr.open(), tr.open()
	tr.register(a, "a")
	tr.register(c, "c")
	if err := a.Unregister(tr.ctx); err != nil {
		tr.errorf("Unregister: %w", err)
	}
	tr.holds(b, "", "c")
	tr.lost(a, "after Unregister")
	tr.holds(b, "", "c")
}

func closeLeavesTheKey(tr *recordTrial) {
	a, err := tr.service.Open(tr.ctx, tr.cluster)
	if err != nil {
		tr.errorf("opening the store: %w", err)
		return
	}
	begun := time.Now()
	granted := tr.register(a, "a")
	if err := a.Close(); err != nil {
		tr.errorf("Close: %w", err)
	}
	tr.gone(tr.open(), "a", begun, granted)
}

func contextsEndStoreCalls(tr *recordTrial) {
	s := tr.open()
	tr.register(s, "a")
	since := tr.read(s)
	ctx, cancel := context.WithTimeout(tr.ctx, 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	// Renewals are changes to some services, but not to this contract.
	if err := s.Wait(ctx, since); err == nil && time.Since(begun) < 50*time.Millisecond {
		err = s.Wait(ctx, tr.read(s))
		if err == nil {
			tr.errorf("Wait returns again and again while nothing changes")
		}
	}
	<-ctx.Done()
	for name, call := range map[string]func() error{
		"Read":  func() error { _, err := s.Read(ctx); return err },
		"Wait":  func() error { return s.Wait(ctx, since) },
		"Write": func() error { return s.Write(ctx, since, []byte("late")) },
		"Renew": func() error { _, err := s.Renew(ctx); return err },
	} {
		if err := tr.prompt(call); err == nil || errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrLeaseLost) {
			tr.errorf("%s with a context that is done: %w, want one that says so", name, orNil(err))
		}
	}
}

var errStuck = errors.New("it does not return")

// prompt makes a call that is to return at once.
func (tr *recordTrial) prompt(call func() error) error {
	result := make(chan error, 1)
	go func() { result <- call() }()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case err := <-result:
		return err
	case <-timer.C:
		tr.errorf("a call whose context is done: %w", errStuck)
		return errStuck
	}
}

func largeRecords(tr *recordTrial) {
	a, b := tr.open(), tr.open()
	record := strings.Repeat("0123456789abcdef", tr.service.MaxRecord/16)
	tr.write(a, tr.read(a), record)
	if got := tr.read(b).Data; string(got) != record {
		tr.errorf("a record of %d bytes is read as one of %d", len(record), len(got))
	}
	description := strings.Repeat("0123456789abcdef", 1<<12)
	if _, err := a.Register(tr.ctx, "a", []byte(description), tr.service.TTL); err != nil {
		tr.errorf("Register with %d bytes: %w", len(description), err)
	}
	if got := tr.read(b).Alive["a"]; string(got) != description {
		tr.errorf("a description of %d bytes is read as one of %d", len(description), len(got))
	}
}

// clustersDoNotMeet uses names that a careless use of prefixes mixes up.
func clustersDoNotMeet(tr *recordTrial) {
	names := []string{tr.cluster, tr.cluster + "2", tr.cluster + "/a", tr.cluster + " ü"}
	var stores []driver.RecordStore
	for i, name := range names {
		s := tr.openIn(name)
		stores = append(stores, s)
		tr.write(s, tr.read(s), "record of "+name)
		tr.register(s, driver.MemberID(fmt.Sprintf("m%d", i)))
	}
	for i, name := range names {
		tr.holds(stores[i], "record of "+name, driver.MemberID(fmt.Sprintf("m%d", i)))
	}
}
