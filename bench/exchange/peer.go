package exchange

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/granary-go/granary/bench/benchpb"
)

// A Peer is a pair.Peer over links.
type Peer struct {
	// Listen hands each link that somebody makes to serve, which returns when it has ended.
	Listen func(serve func(Link) error) (address string, err error)
	// Dial makes a link.
	Dial func(address string) (Link, error)

	x     *exchange
	ended sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	last uint64
	asks map[uint64]chan Frame
	lost error // why no answer comes any more
}

// Serve implements pair.Peer.
func (p *Peer) Serve(_ int, arrived func()) (string, error) {
	return p.Listen(func(link Link) error {
		x := newExchange(link)
		return x.run(func(f Frame) error {
			if f.ID == 0 {
				arrived()
				return proto.Unmarshal(f.Data, &benchpb.Note{})
			}
			var m benchpb.Question
			if err := proto.Unmarshal(f.Data, &m); err != nil {
				return err
			}
			data, err := proto.Marshal(&m)
			x.put(Frame{ID: f.ID, Data: data})
			return err
		})
	})
}

// Connect implements pair.Peer.
func (p *Peer) Connect(address string, _ int) error {
	link, err := p.Dial(address)
	if err != nil {
		return err
	}
	p.x, p.asks = newExchange(link), map[uint64]chan Frame{}
	p.ended.Go(func() {
		err := p.x.run(p.answered)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.lost = err
		for _, answer := range p.asks {
			close(answer)
		}
	})
	return nil
}

func (p *Peer) answered(f Frame) error {
	p.mu.Lock()
	answer := p.asks[f.ID]
	delete(p.asks, f.ID)
	p.mu.Unlock()
	if answer != nil {
		answer <- f
	}
	return nil
}

// Tell implements pair.Peer.
func (p *Peer) Tell(target int, m *benchpb.Note) error {
	data, err := proto.Marshal(m)
	p.x.put(Frame{Target: uint32(target), Data: data})
	return err
}

// Ask implements pair.Peer.
func (p *Peer) Ask(target int, m *benchpb.Question) (*benchpb.Question, error) {
	data, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	answer := make(chan Frame, 1)
	p.mu.Lock()
	if p.lost != nil {
		defer p.mu.Unlock()
		return nil, p.lost
	}
	p.last++
	id := p.last
	p.asks[id] = answer
	p.mu.Unlock()
	p.x.put(Frame{Target: uint32(target), ID: id, Data: data})
	f, ok := <-answer
	if !ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		return nil, p.lost
	}
	got := new(benchpb.Question)
	return got, proto.Unmarshal(f.Data, got)
}

// Close implements pair.Peer.
func (p *Peer) Close() {
	if p.x != nil {
		_ = p.x.close()
		p.ended.Wait()
	}
}
