package trio

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/granary-go/granary/bench/child"
)

const (
	// patience is how long a member may take to start or to answer.
	patience = 30 * time.Second
	// lookEvery is how often a process looks whether it knows all members.
	lookEvery = 10 * time.Millisecond
)

// fleet is the members, as the client sees them.
type fleet struct {
	c       Case
	client  Seat
	members []*child.Child
}

// start starts the members and waits until each knows all.
func start(c Case, args func(member int) []string) (*fleet, error) {
	all, err := seats()
	if err != nil {
		return nil, err
	}
	f := &fleet{c: c, client: all[Size]}
	for i, s := range all[:Size] {
		seat, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		own := []string{"-member", string(seat)}
		if args != nil {
			own = append(own, args(i)...)
		}
		m, err := child.Start(own...)
		if err != nil {
			f.close()
			return nil, err
		}
		f.members = append(f.members, m)
	}
	for i, m := range f.members {
		if _, err := m.Hear(patience); err != nil {
			f.close()
			return nil, fmt.Errorf("member %d does not join: %w", i, err)
		}
	}
	return f, nil
}

// close ends all members at once, and waits for that.
func (f *fleet) close() {
	var all sync.WaitGroup
	for _, m := range f.members {
		all.Go(m.Close)
	}
	all.Wait()
}

// usage is that of all members together.
func (f *fleet) usage() (sum child.Usage, err error) {
	for i, m := range f.members {
		m.Say(wordUsage)
		line, err := m.Hear(patience)
		if err != nil {
			return sum, fmt.Errorf("member %d: %w", i, err)
		}
		var u child.Usage
		if err := json.Unmarshal([]byte(line), &u); err != nil {
			return sum, err
		}
		sum.Mallocs += u.Mallocs
		sum.Bytes += u.Bytes
	}
	return sum, nil
}

// await waits until a process knows all members.
func await(p Peer) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for limit := time.Now().Add(patience); p.Members() < Size; <-ticker.C {
		if time.Now().After(limit) {
			return errors.New("not all members are known")
		}
	}
	return nil
}
