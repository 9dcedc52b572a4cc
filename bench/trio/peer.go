package trio

import "github.com/granary-go/granary/bench/benchpb"

// A Peer is a library's cluster, in one process: either Join and perhaps Leave are called, or Connect and Ask.
type Peer interface {
	// Join makes this process a member that hosts grains, which answer a Question by Answer.
	Join(s Seat) error
	// Leave ends the membership gracefully, and returns when it has ended.
	Leave() error
	// Connect makes this process a client.
	Connect(s Seat) error
	// Members is how many members this process knows.
	Members() int
	// Ask calls a grain, several times if the library does so for calls that may run twice. It is called by several goroutines.
	Ask(grain string, m *benchpb.Question) (*benchpb.Question, error)
}

// Size is how many members there are.
const Size = 3

// A Seat is a process's place in a cluster.
type Seat struct {
	// Number is that of the member, from 0. The client has Size.
	Number int `json:"number"`
	// Ports are free ones that the process may listen on.
	Ports [3]int `json:"ports"`
	// Hosts are the members' addresses, each with the first of its ports, and Others those with the second.
	Hosts  []string `json:"hosts"`
	Others []string `json:"others"`
}

// Answer is what a grain of a member answers.
func Answer(m *benchpb.Question, member int) *benchpb.Question {
	return &benchpb.Question{Data: m.GetData(), Member: uint32(member)}
}
