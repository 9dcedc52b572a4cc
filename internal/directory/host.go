package directory

import (
	"slices"
	"strings"

	"github.com/granary-go/granary/cluster/driver"
)

// HostConfig sets the machine's times, in nanoseconds; zero values take the
// defaults.
type HostConfig struct {
	// Resend is how long an unanswered greeting waits before it is sent again,
	// and the longest pause before an operation in the store is tried again.
	// Defaults to 200 ms.
	Resend Time
	// Poll is how often the era record is read. Defaults to 500 ms. While it is
	// about to change it is read ten times as often.
	Poll Time
	// Patience is after what time a request to place is answered Wait. Defaults
	// to 10 s.
	Patience Time
	// Rank is how long each member lets the one before it go first. Defaults to
	// 200 ms.
	Rank Time
}

const (
	defaultResend   = Time(200_000_000)
	defaultPoll     = Time(500_000_000)
	defaultPatience = Time(10_000_000_000)
	// maxAskers bounds the requests that wait at a host; beyond it they are
	// answered Wait at once.
	maxAskers = 100_000
)

// Host is one member's part in the directory.
type Host struct {
	self    driver.MemberID
	cfg     HostConfig
	view    driver.View
	known   bool
	me      driver.Member
	in      bool // the view holds this member
	kinds   map[string]driver.Guarantee
	lease   driver.LeasePhase
	greeted uint64 // the epoch of the greetings
	greet   map[driver.MemberID]Time
	places  map[driver.Identity]*place
	ending  map[driver.Identity]*place // those that are releasing
	asking  map[uint64]asker
	attempt uint64
	keeper  keeper
	broken  faults

	violations int
	out        []Effect
}

// phase is what a member has to do with an identity.
type phase uint8

const (
	claiming phase = iota
	running
	stopping
	releasing
)

// place is an identity that this member claims, hosts, or has hosted.
type place struct {
	phase   phase
	attempt uint64       // while claiming
	token   driver.Fence // afterwards
	askers  []uint64
	due     Time // when a release is tried again; 0 while one is under way
	pause   Time
}

type asker struct {
	identity driver.Identity
	until    Time
}

// NewHost makes the machine of a member that hosts nothing.
func NewHost(self driver.MemberID, cfg HostConfig) *Host {
	for _, d := range []struct {
		value  *Time
		preset Time
	}{{&cfg.Resend, defaultResend}, {&cfg.Poll, defaultPoll}, {&cfg.Patience, defaultPatience}, {&cfg.Rank, defaultResend}} {
		if *d.value <= 0 {
			*d.value = d.preset
		}
	}
	return &Host{
		self: self, cfg: cfg, places: make(map[driver.Identity]*place), ending: make(map[driver.Identity]*place),
		asking: make(map[uint64]asker), greet: make(map[driver.MemberID]Time),
	}
}

// Step takes one event and returns what is to be done about it.
func (h *Host) Step(now Time, ev Event) []Effect {
	switch ev := ev.(type) {
	case ViewChanged:
		h.viewChanged(now, ev.View)
	case LeaseChanged:
		h.leaseChanged(ev.Phase)
	case Place:
		h.place(now, ev)
	case ClaimEnded:
		h.claimEnded(now, ev)
	case ReleaseEnded:
		h.releaseEnded(now, ev)
	case StopBegun:
		h.stopBegun(now, ev)
	case Stopped:
		h.stopped(now, ev)
	case Greeted:
		h.greetedBy(ev)
	case GreetingSeen:
		if ev.Epoch >= h.greeted {
			delete(h.greet, ev.From)
		}
	case RestoreEnded:
		h.restoreEnded(now, ev)
	case EraRead:
		h.eraRead(now, ev)
	case EraWritten:
		h.eraWritten(now, ev)
	case Tick:
		h.retryReleases(now)
		h.expire(now)
	}
	h.due(now)
	out := h.out
	h.out = nil
	return out
}

func (h *Host) do(e Effect) { h.out = append(h.out, e) }

// Violations counts the Violation effects since the machine was made.
func (h *Host) Violations() int { return h.violations }

// Era gives the era that the member has joined, or is joining, and whether it
// claims in it.
func (h *Host) Era() (id driver.EraID, open bool) { return h.keeper.era, h.keeper.open }

// Phase says what the member has of an identity, in a word; empty if nothing.
// The token is zero while it is claiming.
func (h *Host) Phase(id driver.Identity) (word string, token driver.Fence) {
	p := h.places[id]
	if p == nil {
		return "", driver.Fence{}
	}
	return [...]string{claiming: "claiming", running: "running", stopping: "stopping", releasing: "releasing"}[p.phase], p.token
}

// Each calls yield for every activation that runs or is stopping, until it
// returns false.
func (h *Host) Each(yield func(id driver.Identity, token driver.Fence) bool) {
	for id, p := range h.places {
		if (p.phase == running || p.phase == stopping) && !yield(id, p.token) {
			return
		}
	}
}

// Wake tells when the machine wants a Tick.
func (h *Host) Wake(now Time) Time {
	wake := now + h.cfg.Poll
	if h.in && !h.keeper.busy {
		wake = min(wake, h.keeper.due)
	}
	if len(h.greet) > 0 || len(h.ending) > 0 {
		wake = min(wake, now+h.cfg.Resend/4)
	}
	return max(wake, now)
}

// due greets and reads the era record when it is time.
func (h *Host) due(now Time) {
	if !h.in {
		return
	}
	if len(h.greet) > 0 {
		for _, m := range h.view.Members {
			if due, waits := h.greet[m.ID]; waits && due <= now {
				h.greet[m.ID] = now + h.cfg.Resend
				h.do(Greet{m.ID, h.greeted})
			}
		}
	}
	if !h.keeper.busy && h.keeper.due <= now {
		h.keeper.busy = true
		h.do(ReadEra{})
	}
}

func (h *Host) viewChanged(now Time, v driver.View) {
	if h.known && v.Epoch <= h.view.Epoch {
		return
	}
	former := h.view
	h.view, h.known = v, true
	joined := h.in
	h.me, h.in = v.Member(h.self)
	if !h.in {
		return // its leased activations have stopped, the others are stopped now
	}
	h.kinds = make(map[string]driver.Guarantee, len(h.me.Kinds))
	for _, k := range h.me.Kinds {
		h.kinds[k.Name] = k.Guarantee
	}
	if !joined {
		h.keeper.due = now
		h.greeted = v.Epoch
		for _, m := range v.Members {
			if m.ID != h.self && !h.broken.noGreeting {
				h.greet[m.ID] = now
			}
		}
	}
	for id := range h.greet {
		if _, in := v.Member(id); !in {
			delete(h.greet, id)
		}
	}
	if h.rank() == 0 {
		for _, m := range former.Members {
			if _, in := v.Member(m.ID); !in {
				h.do(Remove{m.ID})
			}
		}
	}
}

// rank counts the members of the view that come before this one.
func (h *Host) rank() Time {
	return Time(slices.IndexFunc(h.view.Members, func(m driver.Member) bool { return m.ID == h.self }))
}

// greetedBy is the others' part in rule 9.
func (h *Host) greetedBy(ev Greeted) {
	if !h.known || h.view.Epoch < ev.Epoch {
		h.do(Refresh{ev.Epoch}) // the greeting comes again
		return
	}
	h.do(SeeGreeting{ev.From, ev.Epoch})
}

// leaseChanged ends with the lease what is leased.
func (h *Host) leaseChanged(to driver.LeasePhase) {
	if h.lease == driver.LeaseFenced {
		return
	}
	if h.lease = to; to != driver.LeaseFenced {
		return
	}
	var ends []Stop
	h.Each(func(id driver.Identity, token driver.Fence) bool {
		if h.kinds[id.Kind] != driver.BestEffort && h.places[id].phase == running {
			ends = append(ends, Stop{id, token})
		}
		return true
	})
	slices.SortFunc(ends, func(a, b Stop) int { return strings.Compare(a.Identity.String(), b.Identity.String()) })
	for _, e := range ends {
		h.places[e.Identity].phase = stopping
		h.do(e)
	}
}
