package directory

import (
	"maps"
	"slices"

	"github.com/granary-go/granary/cluster/driver"
)

// What a member that does not take an activation says.
const (
	whyNotIn   = "the member is leaving, or not in the view"
	whyKind    = "the member does not have the kind"
	whyLease   = "the member's lease was not renewed"
	whyNew     = "the member is new, and waits until the others know of it"
	whyEra     = "the store may have lost entries: the members are writing back what they host"
	whyAskers  = "too many wait at the member"
	whyPending = "the store, or the end of the former activation, has not come yet"
)

// unwilling says why the member may start nothing of a kind now, and whether
// another member may.
func (h *Host) unwilling(kind string) (why string, elsewhere Outcome) {
	guarantee, has := h.kinds[kind]
	switch {
	case !h.in || h.me.State != driver.Active:
		return whyNotIn, Refused
	case !has:
		return whyKind, Refused
	case guarantee != driver.BestEffort && h.lease != driver.LeaseValid:
		return whyLease, Refused
	case len(h.greet) > 0:
		return whyNew, Refused
	case !h.keeper.open && !h.broken.claimClosed:
		return whyEra, Wait
	}
	return "", 0
}

func (h *Host) place(now Time, ev Place) {
	p := h.places[ev.Identity]
	if p != nil && p.phase == running {
		h.do(Answer{Request: ev.Request, Outcome: Found, Entry: h.entry(ev.Identity, p.token)})
		return
	}
	if p == nil {
		if why, outcome := h.unwilling(ev.Identity.Kind); why != "" {
			h.do(Answer{Request: ev.Request, Outcome: outcome, Why: why})
			return
		}
	}
	if len(h.asking) >= maxAskers {
		h.do(Answer{Request: ev.Request, Outcome: Wait, Why: whyAskers})
		return
	}
	if p == nil {
		p = &place{}
		h.places[ev.Identity] = p
		h.claim(ev.Identity, p, ev.Over)
	}
	p.askers = append(p.askers, ev.Request)
	h.asking[ev.Request] = asker{ev.Identity, now + h.cfg.Patience}
}

func (h *Host) entry(id driver.Identity, token driver.Fence) driver.Entry {
	return driver.Entry{
		Identity: id, Member: h.self, Address: h.me.Address, Epoch: h.view.Epoch, Era: h.keeper.era, Token: token,
	}
}

// claim begins an attempt at the entry of an identity (rule 2).
func (h *Host) claim(id driver.Identity, p *place, over driver.Fence) {
	h.attempt++
	p.phase, p.attempt = claiming, h.attempt
	h.do(Claim{p.attempt, h.entry(id, driver.Fence{}), over})
}

func (h *Host) claimEnded(now Time, ev ClaimEnded) {
	p := h.places[ev.Identity]
	if p == nil || p.phase != claiming || p.attempt != ev.Attempt {
		return // given up, as the era was; what it may have left is void to this member (rule 4)
	}
	switch ev.Result {
	case Done:
		h.won(now, ev.Identity, p, ev.Entry)
	case Claimed:
		h.lost(now, ev.Identity, p, ev.Entry)
	case WrongEra:
		h.doubt(now)
		h.giveUp(ev.Identity, p, Answer{Outcome: Wait, Why: whyEra})
	case Failed:
		h.giveUp(ev.Identity, p, Answer{Outcome: NoStore, Why: ev.Why})
	}
}

// won is rule 1: the entry is this member's, and nobody has seen it.
func (h *Host) won(now Time, id driver.Identity, p *place, e driver.Entry) {
	p.token = e.Token
	if why, outcome := h.unwilling(id.Kind); why != "" && !h.broken.startUnchecked {
		h.answer(p, Answer{Outcome: outcome, Why: why})
		h.release(now, id, p)
		return
	}
	p.phase = running
	// Whoever hears of it finds it: it is started before it is told of.
	h.do(Start{id, e.Token})
	h.answer(p, Answer{Outcome: Found, Entry: e})
}

// lost looks at the entry that was there first. One of this member's own it has
// not started, or started and forgotten: it is claimed over, as a void one is
// (rule 4).
func (h *Host) lost(now Time, id driver.Identity, p *place, e driver.Entry) {
	if why, outcome := h.unwilling(id.Kind); why != "" {
		h.giveUp(id, p, Answer{Outcome: outcome, Why: why})
		return
	}
	verdict := Judge(h.view, e, h.keeper.era.Number)
	if verdict == Unknown {
		h.do(Refresh{e.Epoch})
		if h.broken.voidUnseen {
			verdict = Void
		}
	}
	switch {
	case e.Member == h.self && h.broken.reuseOwn:
		h.won(now, id, p, e)
	case e.Member == h.self, verdict == Void, verdict == Absent:
		h.claim(id, p, e.Token)
	default: // also if it cannot tell: the asker may
		h.giveUp(id, p, Answer{Outcome: Found, Entry: e})
	}
}

// giveUp forgets a claim. What it left in the store, if anything, is found by
// the next one.
func (h *Host) giveUp(id driver.Identity, p *place, a Answer) {
	h.answer(p, a)
	delete(h.places, id)
}

// answer tells all who wait for a place.
func (h *Host) answer(p *place, a Answer) {
	for _, request := range p.askers {
		if _, waits := h.asking[request]; waits {
			delete(h.asking, request)
			a.Request = request
			h.do(a)
		}
	}
	p.askers = nil
}

// expire answers those who have waited long enough.
func (h *Host) expire(now Time) {
	for _, request := range slices.Sorted(maps.Keys(h.asking)) {
		if a := h.asking[request]; a.until <= now {
			delete(h.asking, request)
			h.do(Answer{Request: request, Outcome: Wait, Why: whyPending})
			if p := h.places[a.identity]; p != nil {
				p.askers = slices.DeleteFunc(p.askers, func(r uint64) bool { return r == request })
			}
		}
	}
}

func (h *Host) stopBegun(now Time, ev StopBegun) {
	p := h.places[ev.Identity]
	if p == nil || p.token != ev.Token || p.phase != running {
		return
	}
	p.phase = stopping
	if h.broken.releaseEarly {
		h.release(now, ev.Identity, p)
	}
}

// stopped is rule 5.
func (h *Host) stopped(now Time, ev Stopped) {
	p := h.places[ev.Identity]
	if p != nil && p.token == ev.Token && (p.phase == running || p.phase == stopping) {
		h.release(now, ev.Identity, p)
	}
}

func (h *Host) release(now Time, id driver.Identity, p *place) {
	p.phase, p.pause = releasing, h.cfg.Resend/8
	h.ending[id] = p
	if h.keeper.restoring {
		p.due = now // what is being written back must not come after it
		return
	}
	p.due = 0
	h.do(Release{id, p.token})
}

// releaseEnded lets those who waited for the end begin anew.
func (h *Host) releaseEnded(now Time, ev ReleaseEnded) {
	p := h.ending[ev.Identity]
	if p == nil || p.token != ev.Token {
		return
	}
	if ev.Result != Done {
		p.due = now + p.pause
		p.pause = min(2*p.pause, 4*h.cfg.Resend)
		return
	}
	delete(h.ending, ev.Identity)
	delete(h.places, ev.Identity)
	for _, request := range p.askers {
		if _, waits := h.asking[request]; waits {
			delete(h.asking, request)
			h.place(now, Place{Request: request, Identity: ev.Identity, Over: ev.Token})
		}
	}
}

func (h *Host) retryReleases(now Time) {
	if len(h.ending) == 0 || h.keeper.restoring {
		return
	}
	for _, id := range slices.SortedFunc(maps.Keys(h.ending), func(a, b driver.Identity) int {
		return driver.Fence.Compare(h.ending[a].token, h.ending[b].token)
	}) {
		if p := h.ending[id]; p.due != 0 && p.due <= now {
			p.due = 0
			h.do(Release{id, p.token})
		}
	}
}
